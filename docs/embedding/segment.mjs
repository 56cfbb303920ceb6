// Labels frames with stock onnxruntime-node: node segment.mjs MODEL.onnx FRAMES LABELS [CONFIDENCE]
import { readFileSync, writeFileSync } from "node:fs";
import ort from "onnxruntime-node";

const [model, framesFile, ...answerFiles] = process.argv.slice(2);
const session = await ort.InferenceSession.create(model, { executionProviders: ["cpu"] });
const shape = session.inputMetadata[0].shape; // [1, H, W, 3]: the file itself says what a frame is
const frameBytes = shape.reduce((product, size) => product * size);
const frames = readFileSync(framesFile);
if (frames.length % frameBytes !== 0)
  throw new Error(`${framesFile}: expected frames of ${frameBytes} bytes each, got ${frames.length} bytes in all`);

const names = ["labels", "confidence"].slice(0, answerFiles.length);
const maps = names.map(() => []);
for (let start = 0; start < frames.length; start += frameBytes) {
  const image = new ort.Tensor("uint8", frames.subarray(start, start + frameBytes), shape);
  const answers = await session.run({ image }, names);
  names.forEach((name, i) => maps[i].push(answers[name].data)); // uint8 [1, H, W]
}
answerFiles.forEach((file, i) => writeFileSync(file, Buffer.concat(maps[i])));

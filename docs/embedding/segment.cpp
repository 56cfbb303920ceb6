// Labels frames with ONNX Runtime's public C++ API: segment MODEL.onnx FRAMES LABELS [CONFIDENCE]
// Prints the mean time of a frame. C++17; no library but ONNX Runtime (1.20 or newer).
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

using Bytes = std::vector<uint8_t>;

static Bytes read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": can't be opened for reading");
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

static void write_file(const std::string &path, const Bytes &bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error(path + ": could not be written");
}

// A tensor of the model, with memory of its own that is used for every frame.
struct Buffer {
  std::string name;
  Bytes bytes;
  Ort::Value tensor{nullptr};

  Buffer(const std::string &tensor_name, const Ort::TypeInfo &type) : name(tensor_name) {
    const auto info = type.GetTensorTypeAndShapeInfo();
    const std::vector<int64_t> shape = info.GetShape();
    if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8)
      throw std::runtime_error("'" + name + "' should be uint8; is this a file written by segtool export?");
    size_t size = 1;
    for (const int64_t length : shape) {
      if (length < 1) throw std::runtime_error("'" + name + "' should have a fixed shape");
      size *= static_cast<size_t>(length);
    }
    bytes.resize(size);
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    tensor = Ort::Value::CreateTensor<uint8_t>(memory, bytes.data(), size, shape.data(), shape.size());
  }
};

static Buffer output_buffer(const Ort::Session &session, const std::string &name) {
  Ort::AllocatorWithDefaultOptions allocator;
  for (size_t i = 0; i < session.GetOutputCount(); ++i)
    if (name == session.GetOutputNameAllocated(i, allocator).get()) return Buffer(name, session.GetOutputTypeInfo(i));
  throw std::runtime_error("the model has no output '" + name + "'; export it with --confidence to have one");
}

static void segment(const std::string &model, const std::string &frames_file, const std::vector<std::string> &answers) {
  const Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "segment");
  Ort::Session session(env, model.c_str(), Ort::SessionOptions());
  Buffer image("image", session.GetInputTypeInfo(0));
  std::vector<Buffer> outputs;
  outputs.push_back(output_buffer(session, "labels"));
  if (answers.size() > 1) outputs.push_back(output_buffer(session, "confidence"));

  const Bytes frames = read_file(frames_file);
  if (frames.empty() || frames.size() % image.bytes.size() != 0)
    throw std::runtime_error(frames_file + ": expected frames of " + std::to_string(image.bytes.size()) +
                             " bytes each, got " + std::to_string(frames.size()) + " bytes in all");

  Ort::IoBinding binding(session);
  binding.BindInput(image.name.c_str(), image.tensor);
  for (const Buffer &output : outputs) binding.BindOutput(output.name.c_str(), output.tensor);
  std::vector<Bytes> maps(outputs.size());
  std::chrono::duration<double, std::milli> spent{0};
  for (auto frame = frames.begin(); frame != frames.end(); frame += static_cast<long>(image.bytes.size())) {
    std::copy_n(frame, image.bytes.size(), image.bytes.begin());
    const auto started = std::chrono::steady_clock::now();
    session.Run(Ort::RunOptions(), binding);
    spent += std::chrono::steady_clock::now() - started;
    for (size_t i = 0; i < outputs.size(); ++i)
      maps[i].insert(maps[i].end(), outputs[i].bytes.begin(), outputs[i].bytes.end());
  }
  for (size_t i = 0; i < answers.size(); ++i) write_file(answers[i], maps[i]);
  const size_t count = frames.size() / image.bytes.size();
  std::printf("%zu frames, mean %.2f ms\n", count, spent.count() / static_cast<double>(count));
}

int main(int argc, char **argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3 || arguments.size() > 4) {
    std::fputs("usage: segment MODEL.onnx FRAMES LABELS [CONFIDENCE]\n", stderr);
    return 2;
  }
  try {
    segment(arguments[0], arguments[1], {arguments.begin() + 2, arguments.end()});
  } catch (const std::exception &error) {  // Ort::Exception is one of them
    std::fprintf(stderr, "segment: %s\n", error.what());
    return 1;
  }
  return 0;
}

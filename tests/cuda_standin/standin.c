/* The CUDA runtime calls that ONNX Runtime's CUDA provider makes while it opens a session, answered on the host: memory
   is host memory, copies are memcpy, streams and events are one dummy handle. No kernel runs.

   The calls that may answer "success" and do nothing are not here: placement.py writes them as weak symbols, so that a
   function of this file takes their place. The device is an invented one of compute capability 9.0. */
#include <cuda_runtime_api.h>
#include <stdlib.h>
#include <string.h>
#undef cudaGetDeviceProperties /* the header renames it to a versioned name that the library does not export */

enum { SM_COUNT = 132, WARP = 32, THREADS_PER_BLOCK = 1024, THREADS_PER_SM = 2048 };
enum { SHARED_PER_BLOCK = 48 << 10, SHARED_OPTIN = 227 << 10, SHARED_PER_SM = 228 << 10, ALIGNMENT = 256 };
static const size_t memory_bytes = (size_t)8 << 30;
static char handle[64];

/* The device. */

cudaError_t cudaGetDeviceCount(int *count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
    case cudaDevAttrMultiProcessorCount: *value = SM_COUNT; break;
    case cudaDevAttrMaxThreadsPerBlock: *value = THREADS_PER_BLOCK; break;
    case cudaDevAttrWarpSize: *value = WARP; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = SHARED_OPTIN; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = SHARED_PER_SM; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = THREADS_PER_SM; break;
    default: *value = 1;
  }
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *device, int number) {
  memset(device, 0, sizeof *device);
  strcpy(device->name, "placement stand-in");
  device->major = 9;
  device->multiProcessorCount = SM_COUNT;
  device->warpSize = WARP;
  device->maxThreadsPerBlock = THREADS_PER_BLOCK;
  device->maxThreadsPerMultiProcessor = THREADS_PER_SM;
  device->regsPerBlock = 65536;
  device->totalGlobalMem = memory_bytes;
  device->sharedMemPerBlock = SHARED_PER_BLOCK;
  device->sharedMemPerBlockOptin = SHARED_OPTIN;
  device->sharedMemPerMultiprocessor = SHARED_PER_SM;
  device->maxGridSize[0] = 2147483647;
  device->maxGridSize[1] = device->maxGridSize[2] = 65535;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

/* Memory: the weights are copied to "the device" while the session opens, so it must be real. */

cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  *available = *total = memory_bytes;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
  *memory = aligned_alloc(ALIGNMENT, (bytes / ALIGNMENT + 1) * ALIGNMENT);
  return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void *memory) {
  free(memory);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned flags) { return cudaMalloc(memory, bytes); }
cudaError_t cudaMallocHost(void **memory, size_t bytes) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeHost(void *memory) { return cudaFree(memory); }
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) { return cudaFree(memory); }

cudaError_t cudaMallocFromPoolAsync(void **memory, size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  return cudaMalloc(memory, bytes);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
  memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpy(to, from, bytes, kind);
}

cudaError_t cudaMemset(void *memory, int value, size_t bytes) {
  memset(memory, value, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream) {
  return cudaMemset(memory, value, bytes);
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *memory) {
  memset(attributes, 0, sizeof *attributes);
  attributes->type = cudaMemoryTypeDevice;
  return cudaSuccess;
}

/* Streams, events, pools: something that is not null. */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
  *stream = (cudaStream_t)handle;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int priority) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) { return cudaStreamCreateWithFlags(stream, 0); }

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) {
  *status = cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
  *event = (cudaEvent_t)handle;
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const struct cudaMemPoolProps *properties) {
  *pool = (cudaMemPool_t)handle;
  return cudaSuccess;
}

const char *cudaGetErrorName(cudaError_t error) { return "stand-in"; }
const char *cudaGetErrorString(cudaError_t error) { return "stand-in"; }

/* The provider's own kernels register themselves when its library is loaded. */
void **__cudaRegisterFatBinary(void *binary) { return (void **)handle; }

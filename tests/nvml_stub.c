/* NVIDIA's management library, as far as Penstock asks it; for machines with no GPU.

   Two GPUs; or those whose sizes in GiB the variable NVML_STUB_GIB has, separated by spaces. What runs
   on them is in the file that NVML_STUB_RUNNING names, a line each: the GPU, a pid, GiB. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GPUS 8
#define GIB (1ULL << 30)
#define INSUFFICIENT_SIZE 7

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process_t;
static int numbers[GPUS] = {0, 1, 2, 3, 4, 5, 6, 7};
static memory_t memories[GPUS];
static unsigned gpus;

int nvmlInitWithFlags(unsigned flags) {
    char text[256] = "";
    const char *sizes = getenv("NVML_STUB_GIB");
    gpus = 0;
    if (!sizes) {
        memory_t whole = {85520809984ULL, 85520809984ULL, 0};
        memory_t half = {85520809984ULL, 42760404992ULL, 42760404992ULL};
        memories[gpus++] = whole;
        memories[gpus++] = half;
        return 0;
    }
    strncpy(text, sizes, sizeof text - 1);
    for (char *size = strtok(text, " "); size && gpus < GPUS; size = strtok(NULL, " ")) {
        memory_t empty = {atoi(size) * GIB, atoi(size) * GIB, 0};
        memories[gpus++] = empty;
    }
    return 0;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "no error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = gpus; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = &numbers[index]; return 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    snprintf(name, length, "NVIDIA H100 number %d", *(int *)device);
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    *memory = memories[*(int *)device];
    return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_t *found) {
    const char *path = getenv("NVML_STUB_RUNNING");
    FILE *file = path ? fopen(path, "r") : NULL;
    unsigned room = *count, gpu, pid, gib;
    *count = 0;
    while (file && fscanf(file, "%u %u %u", &gpu, &pid, &gib) == 3) {
        if (gpu != (unsigned)*(int *)device) continue;
        if (*count < room) {
            process_t process = {pid, gib * GIB, 0, 0};
            found[*count] = process;
        }
        ++*count;
    }
    if (file) fclose(file);
    return *count > room ? INSUFFICIENT_SIZE : 0;
}

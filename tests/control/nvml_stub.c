/* NVIDIA's management library with two GPUs, as far as Penstock asks it; for machines with none. */
#include <stdio.h>

typedef struct { unsigned long long total, free, used; } memory_t;
static int numbers[] = {0, 1};

int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "no error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = &numbers[index]; return 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    snprintf(name, length, "NVIDIA H100 number %d", *(int *)device);
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    memory->total = 85520809984ULL;
    memory->free = memory->total / (1 + *(int *)device);
    memory->used = memory->total - memory->free;
    return 0;
}

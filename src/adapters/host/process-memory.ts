import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { importKoffi, type KoffiLoader } from '../../crypto/openssl-library.ts'
import { messageOf } from '../../errors.ts'
import type { ProcessMemory } from '../../pipeline/memory-guard.ts'

/** From malloc.h of glibc. */
const M_MMAP_THRESHOLD = -3
const M_ARENA_MAX = -8

/**
 * Parts and fetches are larger, so that each is a mapping of its own that goes back to the system
 * when it is freed. By itself glibc raises this to 32 MiB with the first large buffer that is freed,
 * keeps all later ones in its arenas, and these never shrink again.
 */
const MAPPED_FROM_BYTES = 256 * 1024
/** By itself glibc makes up to eight a core, and each keeps what was freed in it. */
const ARENAS_MAX = 2

/**
 * By itself V8 marks the whole heap whenever memory outside it has grown by 64 MiB, which at full speed
 * is many times a second: a third of what this process then costs. With this the heap and what lies
 * outside it grow by one measure.
 */
const ONE_MEASURE_FOR_ALL_MEMORY = '--external-memory-accounted-in-global-limit'
/**
 * And by itself V8 lets a heap grow to four times of what lived in it when it was last marked. Measured
 * with two threads, rows of 1 KiB messages: by 100 percent costs no more CPU and spares 100 MiB, by 50
 * percent costs 1 us a message and spares 200.
 */
const HEAP_GROWTH = '--heap-growing-percent=70'
/** Only for the V8 that they were measured with: others may not know them. */
const V8_FLAGS = [ONE_MEASURE_FOR_ALL_MEMORY, HEAP_GROWTH]

/** The memory of the process, and how far its allocator could be told to give back what is freed. */
export interface HostMemory extends ProcessMemory {
  /** null, or in words why the allocator is left as it is: that takes glibc and koffi. */
  readonly untuned: string | null
}

/**
 * Tells the allocator of this process, for all threads and for good, to give large buffers back when
 * they are freed, and the garbage collector not to hurry because of them. Call it before threads are
 * started. Never throws.
 */
export async function tuneMemory(loadKoffi: KoffiLoader = importKoffi): Promise<HostMemory> {
  if (process.versions.v8.startsWith('13.')) for (const flag of V8_FLAGS) setFlagsFromString(flag)
  const collect = garbageCollector()
  const rssBytes = () => process.memoryUsage.rss()
  try {
    const libc = (await loadKoffi()).load(null)
    const mallopt = libc.func('int mallopt(int option, int value)')
    const trim = libc.func('int malloc_trim(size_t pad)')
    const isDone =
      mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES) === 1 && mallopt(M_ARENA_MAX, ARENAS_MAX) === 1
    const giveBack = () => {
      collect()
      trim(0)
    }
    return { rssBytes, giveBack, untuned: isDone ? null : 'mallopt failed' }
  } catch (error) {
    return { rssBytes, giveBack: collect, untuned: messageOf(error) }
  }
}

/** The collector of this thread's heap, which Node shows only when it is told to. */
function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  return () => collect()
}

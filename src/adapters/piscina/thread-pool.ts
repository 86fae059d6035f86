import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'

/** How large a pool is. */
export interface ThreadPoolOptions {
  /** 0: one a core. */
  readonly threads: number
  /** Tasks that one thread works on at a time: while one waits for a service, another is computed. */
  readonly tasksPerThread: number
}

/** When the threads of a pool are there. */
export interface ThreadLife {
  /** 0: threads are there from the beginning, and stay. Else they come with the first task, and go when idle for so long. */
  readonly idleMsMax: number
}

/**
 * By itself V8 lets the young generation of every thread grow to 96 MiB, of which two thirds stay
 * resident. A quarter of it costs no more CPU for what a thread makes of a part.
 */
const YOUNG_GENERATION_MIB = 24

/**
 * A pool of threads that run `workers/<name>`. `atomics: 'disabled'`, because Piscina otherwise
 * blocks the event loop of an idle worker, and with it the sockets that the worker holds open.
 * Threads that stay keep their connections and compiled code warm; an idle one takes some 60 MiB.
 */
export function createThreadPool<M, R>(
  name: string,
  { threads, tasksPerThread }: ThreadPoolOptions,
  workerData: unknown,
  { idleMsMax }: ThreadLife,
): Piscina<M, R> {
  const count = threads === 0 ? availableParallelism() : threads
  return new Piscina({
    filename: workerUrl(name).href,
    name: 'default',
    minThreads: idleMsMax === 0 ? count : 0,
    idleTimeout: idleMsMax,
    maxThreads: count,
    concurrentTasksPerWorker: tasksPerThread,
    atomics: 'disabled',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    workerData,
  })
}

/** The worker beside this file, in TypeScript when run from source and in JavaScript when built. */
function workerUrl(name: string): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`../../../workers/${name}.${extension}`, import.meta.url)
}

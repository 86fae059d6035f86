import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import type { EngineName } from '../../crypto/cipher-engine.ts'
import type { MappingMode } from '../../mapping/mapping-store.ts'
import type { PartResult, PartRunner, PartTask } from '../../pipeline/part-task.ts'
import type { CassandraOptions } from '../cassandra/connection.ts'
import type { S3Options } from '../s3/s3-client.ts'
import { type PartMessage, partMessageOf } from './part-message.ts'

/** What every worker thread is started with: its own ways to the services, and the engine to take. */
export interface PartWorkerData {
  readonly s3: S3Options
  readonly cassandra: CassandraOptions
  readonly mappingMode: MappingMode
  readonly cipherEngine: EngineName
}

/** How large the pool is. */
export interface PartPoolOptions {
  /** 0: one a core. */
  readonly threads: number
  /** Parts that one thread works on at a time: one is sealed while another is sent. */
  readonly tasksPerThread: number
}

/**
 * By itself V8 lets the young generation of every thread grow to 96 MiB, of which two thirds stay
 * resident. A quarter of it costs no more CPU for what a thread makes of a part.
 */
const YOUNG_GENERATION_MIB = 24

/**
 * The pool that works parts. `atomics: 'disabled'`, because Piscina otherwise blocks the event loop
 * of an idle worker, and with it the sockets that the worker holds open. Threads are never given
 * back, so that connections and compiled code stay warm.
 */
export class PartPool implements PartRunner {
  readonly #pool: Piscina<PartMessage, PartResult>

  constructor(options: PartPoolOptions, workerData: PartWorkerData) {
    const threads = options.threads === 0 ? availableParallelism() : options.threads
    this.#pool = new Piscina({
      filename: workerUrl().href,
      name: 'default',
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: options.tasksPerThread,
      atomics: 'disabled',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
      workerData,
    })
  }

  run(task: PartTask): Promise<PartResult> {
    return this.#pool.run(partMessageOf(task), { transferList: [task.buffer] })
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

/** The worker beside this file, in TypeScript when run from source and in JavaScript when built. */
function workerUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`../../../workers/part.${extension}`, import.meta.url)
}

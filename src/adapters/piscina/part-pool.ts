import type { Piscina } from 'piscina'
import type { EngineName } from '../../crypto/cipher-engine.ts'
import type { MappingMode } from '../../mapping/mapping-store.ts'
import type { ReferencePer } from '../../pipeline/part-references.ts'
import type { PartResult, PartRunner, PartTask } from '../../pipeline/part-task.ts'
import type { CassandraOptions } from '../cassandra/connection.ts'
import type { S3Options } from '../s3/s3-client.ts'
import { type PartMessage, partMessageOf } from './part-message.ts'
import { createThreadPool, type ThreadPoolOptions } from './thread-pool.ts'

/** What every worker thread is started with: its own ways to the services, and the engine to take. */
export interface PartWorkerData {
  readonly s3: S3Options
  readonly cassandra: CassandraOptions
  readonly mappingMode: MappingMode
  readonly cipherEngine: EngineName
  /** Name of the header with the id of a message; absent where ids are not to be found again. */
  readonly messageIdHeader?: string
  readonly referencePer: ReferencePer
}

/** The pool that works parts: one is sealed while another is sent. */
export class PartPool implements PartRunner {
  readonly #pool: Piscina<PartMessage, PartResult>

  constructor(options: ThreadPoolOptions, workerData: PartWorkerData) {
    this.#pool = createThreadPool('part', options, workerData, { idleMsMax: 0 })
  }

  run(task: PartTask): Promise<PartResult> {
    return this.#pool.run(partMessageOf(task), { transferList: [task.buffer] })
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

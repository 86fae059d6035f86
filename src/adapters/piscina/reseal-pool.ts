import type { Piscina } from 'piscina'
import type { EngineName } from '../../crypto/cipher-engine.ts'
import { SecretBytes } from '../../crypto/secret-bytes.ts'
import type {
  ResealKeys,
  ResealResult,
  ResealRunner,
  ResealTask,
} from '../../reencryption/reseal-task.ts'
import type { S3Options } from '../s3/s3-client.ts'
import { createThreadPool, type ThreadPoolOptions } from './thread-pool.ts'

/** What every worker thread is started with. */
export interface ResealWorkerData {
  readonly s3: S3Options
  readonly cipherEngine: EngineName
  /** Whether the threads let all others go first. */
  readonly yields: boolean
}

/** Most of the time nothing is re-encrypted. */
const IDLE_MS_MAX = 60_000

type SharedKeys = Omit<ResealKeys, 'frameKey'> & { readonly frameKey: SharedArrayBuffer }

/** A task as it crosses to a worker thread: both threads see the same key bytes, and none is copied. */
export type ResealMessage = Omit<ResealTask, 'from' | 'to'> & {
  readonly from: SharedKeys
  readonly to: SharedKeys
}

/** The pool that seals ranges anew. */
export class ResealPool implements ResealRunner {
  readonly #pool: Piscina<ResealMessage, ResealResult>

  constructor(options: ThreadPoolOptions, workerData: ResealWorkerData) {
    this.#pool = createThreadPool('reseal', options, workerData, { idleMsMax: IDLE_MS_MAX })
  }

  run(task: ResealTask): Promise<ResealResult> {
    return this.#pool.run({ ...task, from: shared(task.from), to: shared(task.to) })
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

/** The task of a message. Throws SEAL_MALFORMED when its keys are none. */
export function resealTaskOf(message: ResealMessage): ResealTask {
  return { ...message, from: borrowed(message.from), to: borrowed(message.to) }
}

function shared({ frameKey, baseNonce }: ResealKeys): SharedKeys {
  return { frameKey: frameKey.share(), baseNonce }
}

function borrowed({ frameKey, baseNonce }: SharedKeys): ResealKeys {
  return { frameKey: SecretBytes.borrow(frameKey), baseNonce }
}

import { SealError } from '../../errors.ts'
import type { KekAdmin, KekEnd } from '../../keys/kek-admin.ts'
import { dropLocalKey } from './local-key-writer.ts'
import type { LocalKmsOptions } from './local-kms.ts'

const PREFIX = 'local/'
const VERSION = /^[1-9]\d{0,9}$/

/** Takes keys, or versions of one, out of a local key file. */
export class LocalKekAdmin implements KekAdmin {
  readonly #path: string

  constructor({ keyFile }: LocalKmsOptions) {
    this.#path = keyFile
  }

  async end(kekId: string, kekVersion: string | null): Promise<KekEnd> {
    const name = kekId.startsWith(PREFIX) ? kekId.slice(PREFIX.length) : kekId
    if (kekVersion !== null && !VERSION.test(kekVersion)) {
      throw new SealError('SEAL_INPUT_INVALID', 'versions of local keys are numbers from 1 on')
    }
    await dropLocalKey(this.#path, name, kekVersion === null ? null : Number(kekVersion))
    return { kind: 'destroyed', remains: [`copies and backups of ${this.#path} hold the key yet`] }
  }
}

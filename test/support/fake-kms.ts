import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { SealError } from '../../src/errors.ts'
import type { GeneratedDataKey, Kms, KmsContext } from '../../src/keys/kms.ts'

const ARN = 'arn:aws:kms:us-east-1:000000000000:key/'
const ALGORITHM = 'aes-256-gcm'

/** A KMS in memory; the same contract suite runs against it and against a real one. */
export class FakeKms implements Kms {
  /** Calls that reached the service. */
  readonly calls = { generate: 0, unwrap: 0 }
  /** Thrown by the calls to come, one each. */
  readonly failures: Error[] = []
  /** Plaintexts as handed out, to see whether they are wiped. */
  readonly handedOut: Uint8Array[] = []
  readonly #keys = new Map<string, Buffer>()

  constructor(...kekIds: string[]) {
    for (const kekId of kekIds) this.#keys.set(kekId, randomBytes(32))
  }

  async generateDataKey(kekId: string, context: KmsContext): Promise<GeneratedDataKey> {
    this.calls.generate++
    this.#failIfAsked()
    const plaintext = randomBytes(32)
    this.handedOut.push(plaintext)
    const wrapped = this.#wrap(kekId, plaintext, context)
    return { plaintext, wrapped, kekId: fullName(kekId), kekVersion: '1' }
  }

  async unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    this.calls.unwrap++
    this.#failIfAsked()
    const key = this.#keyOf(kekId)
    try {
      const decipher = createDecipheriv(ALGORITHM, key, wrapped.subarray(0, 12))
      decipher.setAAD(digest(context))
      decipher.setAuthTag(wrapped.subarray(12, 28))
      const plaintext = Buffer.concat([decipher.update(wrapped.subarray(28)), decipher.final()])
      this.handedOut.push(plaintext)
      return plaintext
    } catch {
      throw new SealError('SEAL_KMS_REFUSED', 'the wrapped key does not unwrap')
    }
  }

  /** Wraps the key of `wrapped` once more, as a rewrap does: other bytes, same key. */
  async rewrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    return this.#wrap(kekId, await this.unwrap(kekId, wrapped, context), context)
  }

  async close(): Promise<void> {}

  #wrap(kekId: string, plaintext: Uint8Array, context: KmsContext): Uint8Array {
    const iv = randomBytes(12)
    const cipher = createCipheriv(ALGORITHM, this.#keyOf(kekId), iv)
    cipher.setAAD(digest(context))
    const body = Buffer.concat([cipher.update(plaintext), cipher.final()])
    return Buffer.concat([iv, cipher.getAuthTag(), body])
  }

  #keyOf(kekId: string): Buffer {
    const key = this.#keys.get(kekId.slice(kekId.startsWith(ARN) ? ARN.length : 0))
    if (key === undefined) throw new SealError('SEAL_KMS_REFUSED', `no key ${kekId}`)
    return key
  }

  #failIfAsked(): void {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
  }
}

function fullName(kekId: string): string {
  return kekId.startsWith(ARN) ? kekId : ARN + kekId
}

function digest(context: KmsContext): Buffer {
  const pairs = Object.entries(context).sort()
  return createHash('sha256').update(JSON.stringify(pairs)).digest()
}

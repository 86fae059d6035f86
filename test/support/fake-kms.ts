import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { SealError } from '../../src/errors.ts'
import { bareKekId } from '../../src/keys/kek-name.ts'
import type { GeneratedDataKey, Kms, KmsContext, WrappedKey } from '../../src/keys/kms.ts'
import { canonicalContext } from '../../src/keys/kms-context.ts'

const ARN = 'arn:aws:kms:us-east-1:000000000000:key/'
const ALGORITHM = 'aes-256-gcm'

interface Kek {
  /** By version, from 1. */
  readonly versions: Buffer[]
  isEnabled: boolean
}

/** A KMS in memory; the same contract suite runs against it and against real ones. */
export class FakeKms implements Kms {
  /** Calls that reached the service. */
  readonly calls = { generate: 0, unwrap: 0 }
  /** Thrown by the calls to come, one each. */
  readonly failures: Error[] = []
  /** Plaintexts as handed out, to see whether they are wiped. */
  readonly handedOut: Uint8Array[] = []
  readonly #keks = new Map<string, Kek>()

  constructor(...kekIds: string[]) {
    for (const kekId of kekIds) this.add(kekId)
  }

  /** Adds a KEK. */
  add(kekId: string): void {
    this.#keks.set(kekId, { versions: [randomBytes(32)], isEnabled: true })
  }

  async generateDataKey(kekId: string, context: KmsContext): Promise<GeneratedDataKey> {
    this.calls.generate++
    this.#failIfAsked()
    const plaintext = randomBytes(32)
    this.handedOut.push(plaintext)
    return { plaintext, ...this.#wrap(kekId, plaintext, context) }
  }

  async unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    this.calls.unwrap++
    this.#failIfAsked()
    const key = this.#kekOf(kekId).versions[(wrapped[0] ?? 0) - 1]
    try {
      if (key === undefined) throw new Error('no such version')
      const decipher = createDecipheriv(ALGORITHM, key, wrapped.subarray(1, 13), {
        authTagLength: 16,
      })
      decipher.setAAD(canonicalContext(context))
      decipher.setAuthTag(wrapped.subarray(13, 29))
      const plaintext = Buffer.concat([decipher.update(wrapped.subarray(29)), decipher.final()])
      this.handedOut.push(plaintext)
      return plaintext
    } catch {
      throw new SealError('SEAL_KEY_TAMPERED', 'the wrapped key does not unwrap')
    }
  }

  async rewrap(
    kekId: string,
    wrapped: Uint8Array,
    toKekId: string,
    context: KmsContext,
  ): Promise<WrappedKey> {
    return this.#wrap(toKekId, await this.unwrap(kekId, wrapped, context), context)
  }

  async close(): Promise<void> {}

  /** Adds a version, which wraps from now on. */
  rotate(kekId: string): void {
    this.#kekOf(kekId).versions.push(randomBytes(32))
  }

  /** Takes a KEK away for good. */
  destroy(kekId: string): void {
    this.#keks.delete(kekId)
  }

  /** Switches a KEK off. */
  disable(kekId: string): void {
    this.#kekOf(kekId).isEnabled = false
  }

  /** Switches it on again. */
  enable(kekId: string): void {
    const kek = this.#keks.get(kekId)
    if (kek !== undefined) kek.isEnabled = true
  }

  #wrap(kekId: string, plaintext: Uint8Array, context: KmsContext): WrappedKey {
    const { versions } = this.#kekOf(kekId)
    const iv = randomBytes(12)
    const cipher = createCipheriv(ALGORITHM, versions.at(-1) as Buffer, iv)
    cipher.setAAD(canonicalContext(context))
    const body = Buffer.concat([cipher.update(plaintext), cipher.final()])
    const wrapped = Buffer.concat([Buffer.from([versions.length]), iv, cipher.getAuthTag(), body])
    return { wrapped, kekId: ARN + bareKekId(kekId), kekVersion: String(versions.length) }
  }

  #kekOf(kekId: string): Kek {
    const kek = this.#keks.get(bareKekId(kekId))
    if (kek === undefined) throw new SealError('SEAL_KEK_DESTROYED', `no key ${kekId}`)
    if (!kek.isEnabled) throw new SealError('SEAL_KEK_DISABLED', `key ${kekId} is disabled`)
    return kek
  }

  #failIfAsked(): void {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
  }
}

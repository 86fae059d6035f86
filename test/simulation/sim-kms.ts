import { randomBytes } from 'node:crypto'
import { SealError } from '../../src/errors.ts'
import type { GeneratedDataKey, Kms } from '../../src/keys/kms.ts'
import type { Host } from './host.ts'
import type { World } from './world.ts'

/** The only KEK. */
export const KEK_ID = 'arn:aws:kms:us-east-1:000000000000:key/simulated'

/** A KMS that wraps by remembering: what it gave out is unwrapped by looking it up. */
export class SimKms implements Pick<Kms, 'generateDataKey'> {
  readonly #world: World
  readonly #host: Host

  constructor(world: World, host: Host) {
    this.#world = world
    this.#host = host
  }

  generateDataKey(): Promise<GeneratedDataKey> {
    return this.#world.network.call(this.#host, 'kms', 'data key', () => {
      if (this.#world.isKekDisabled) throw new SealError('SEAL_KEK_DISABLED', 'switched off')
      const plaintext = randomBytes(32)
      const wrapped = randomBytes(48)
      this.#world.wrappedKeys.set(wrapped.toString('hex'), Buffer.from(plaintext))
      return { plaintext, wrapped, kekId: KEK_ID, kekVersion: '1' }
    })
  }
}

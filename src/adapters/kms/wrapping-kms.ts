import { randomFillSync } from 'node:crypto'
import type { GeneratedDataKey, Kms, KmsContext, WrappedKey } from '../../keys/kms.ts'
import { DEK_BYTES } from '../../limits.ts'

/**
 * What is alike with services that wrap and unwrap and do nothing else: DEKs are made here, by the
 * random generator of this process, and a rewrap has the DEK here for as long as it takes.
 */
export abstract class WrappingKms implements Kms {
  async generateDataKey(kekId: string, context: KmsContext): Promise<GeneratedDataKey> {
    // In memory of its own: the garbage collector may copy small arrays that lie on its heap.
    const plaintext = randomFillSync(new Uint8Array(new ArrayBuffer(DEK_BYTES)))
    try {
      const wrap = await this.wrapDek(`a data key under ${kekId}`, kekId, plaintext, context)
      return { plaintext, ...wrap }
    } catch (error) {
      plaintext.fill(0)
      throw error
    }
  }

  unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    return this.unwrapDek(`unwrapping under ${kekId}`, kekId, wrapped, context)
  }

  async rewrap(
    kekId: string,
    wrapped: Uint8Array,
    toKekId: string,
    context: KmsContext,
  ): Promise<WrappedKey> {
    const doing = `rewrapping from ${kekId} to ${toKekId}`
    const plaintext = await this.unwrapDek(doing, kekId, wrapped, context)
    try {
      return await this.wrapDek(doing, toKekId, plaintext, context)
    } finally {
      plaintext.fill(0)
    }
  }

  abstract close(): Promise<void>

  /** Wraps under the newest version of the KEK. `dek` stays the caller's; `doing` is for errors. */
  protected abstract wrapDek(
    doing: string,
    kekId: string,
    dek: Uint8Array,
    context: KmsContext,
  ): Promise<WrappedKey>

  /** The DEK is the caller's, who wipes it. */
  protected abstract unwrapDek(
    doing: string,
    kekId: string,
    wrapped: Uint8Array,
    context: KmsContext,
  ): Promise<Uint8Array>
}

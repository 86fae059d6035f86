import type { Clock } from '../clock.ts'
import { type EngineChoice, selectEngine } from '../crypto/cipher-engine.ts'
import type { Message } from '../format/message.ts'
import { parseReference, type Reference } from '../format/reference-value.ts'
import { DekCache, type DekCacheOptions } from '../keys/dek-cache.ts'
import type { Unwrapper } from '../keys/kms.ts'
import type { ObjectReader } from './object-reader.ts'
import { SegmentOpener } from './open-frame.ts'
import { planReads, type ReadRange } from './read-plan.ts'

/** What a reader works with. It owns both services and closes them. */
export interface ReaderServices {
  readonly objects: ObjectReader
  readonly kms: Unwrapper
  readonly clock: Clock
}

const RANGES_AT_ONCE = 8

/**
 * Opens references. Needs the object store and the KMS, and neither Kafka nor Cassandra: a
 * reference, one ranged GET and the unwrapped key are all it takes. Safe for concurrent use.
 */
export class SealedReader {
  readonly #services: ReaderServices
  readonly #keys: DekCache
  #selected: Promise<EngineChoice> | null = null

  constructor(services: ReaderServices, keys: DekCacheOptions) {
    this.#services = services
    this.#keys = new DekCache(services.kms, services.clock, keys)
  }

  /**
   * Opens one reference: the value of a record of a reference topic, as bytes, text or parsed.
   * Resolves to the message as it was produced. Throws a SealError whose code says what is wrong
   * (see {@link openReferences}); `retryable` is true when a later try may succeed.
   */
  async openReference(reference: Uint8Array | string | Reference): Promise<Message> {
    const [message] = await this.openReferences([reference])
    return message as Message
  }

  /**
   * Opens many references with as few requests as possible; the messages come in the order of the
   * references. All or nothing: the first failure rejects. Holds all the frames in memory at once,
   * so hand it some megabytes at a time.
   * Throws SEAL_REFERENCE_INVALID, SEAL_OBJECT_MISSING, SEAL_MALFORMED, SEAL_SUITE_UNKNOWN,
   * SEAL_KEK_NOT_ALLOWED, SEAL_COMMITMENT_MISMATCH, SEAL_OPEN_FAILED, SEAL_CONTEXT_MISMATCH,
   * SEAL_STORE_* and SEAL_KMS_*.
   */
  async openReferences(
    references: readonly (Uint8Array | string | Reference)[],
  ): Promise<Message[]> {
    const ranges = planReads(references.map(parseReference))
    const messages = new Array<Message>(references.length)
    let next = 0
    const work = async () => {
      for (let range = ranges[next++]; range !== undefined; range = ranges[next++]) {
        await this.#openRange(range, messages)
      }
    }
    await Promise.all(Array.from({ length: Math.min(RANGES_AT_ONCE, ranges.length) }, work))
    return messages
  }

  /** Drops the keys and ends the connections. */
  async close(): Promise<void> {
    this.#keys.close()
    await Promise.all([this.#services.objects.close(), this.#services.kms.close()])
  }

  async #openRange(range: ReadRange, messages: Message[]): Promise<void> {
    const { object, position, length, entries } = range
    const { bytes, metadata } = await this.#services.objects.readRange(object, position, length)
    this.#selected ??= selectEngine('auto')
    const { engine } = await this.#selected
    using opener = await SegmentOpener.create(metadata, this.#keys, engine)
    for (const { index, reference } of entries) {
      messages[index] = opener.open(bytes, reference.position - position, reference)
    }
  }
}

import type { Clock } from '../clock.ts'
import { type EngineChoice, selectEngine } from '../crypto/cipher-engine.ts'
import { isSealError, type SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import { parseReference, type Reference } from '../format/reference-value.ts'
import { DekCache, type DekCacheOptions } from '../keys/dek-cache.ts'
import type { DekSources } from '../keys/unwrap-dek.ts'
import type { ObjectRange, ObjectReader } from './object-reader.ts'
import { SegmentOpener } from './open-frame.ts'
import { planReads, type ReadRange } from './read-plan.ts'
import { type ShredMarks, shreddedOr } from './shred-marks.ts'

/** What a reader works with. It owns object store and KMS and closes them. */
export interface ReaderServices extends DekSources {
  readonly objects: ObjectReader
  readonly clock: Clock
  /** Without them, what was shredded is told to be missing. */
  readonly shreds?: ShredMarks
}

const RANGES_AT_ONCE = 8

/** What the caller's own rights and settings are the cause of. */
const NO_VERDICTS = ['SEAL_STORE_REFUSED', 'SEAL_KMS_DENIED', 'SEAL_CIPHER_UNAVAILABLE'] as const

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
    this.#keys = new DekCache(services, services.clock, keys)
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
   * SEAL_SHREDDED, SEAL_KEK_NOT_ALLOWED, SEAL_COMMITMENT_MISMATCH, SEAL_OPEN_FAILED, SEAL_CONTEXT_MISMATCH,
   * SEAL_STORE_* and SEAL_KMS_*.
   */
  async openReferences(
    references: readonly (Uint8Array | string | Reference)[],
  ): Promise<Message[]> {
    const messages = new Array<Message>(references.length)
    await eachRange(planReads(references.map(parseReference)), async (range) =>
      this.#openRange(range, await this.#read(range), (index, open) => {
        messages[index] = open()
      }),
    )
    return messages
  }

  /**
   * As {@link openReferences}, but every reference has an outcome of its own: the message, or the
   * SealError that says why there is none. Rejects with what says nothing about the data: whatever
   * is retryable, SEAL_STORE_REFUSED, SEAL_KMS_DENIED, and errors that are none of ours.
   */
  async tryReferences(references: readonly Reference[]): Promise<(Message | SealError)[]> {
    const outcomes = new Array<Message | SealError>(references.length)
    await eachRange(planReads(references), (range) => this.#tryRange(range, outcomes))
    return outcomes
  }

  /** Drops the keys and ends the connections. */
  async close(): Promise<void> {
    this.#keys.close()
    await Promise.all([this.#services.objects.close(), this.#services.kms.close()])
  }

  /** Hands every frame of the range to `deliver`, which opens it by its second argument. */
  async #openRange(
    range: ReadRange,
    { bytes, metadata }: ObjectRange,
    deliver: (index: number, open: () => Message) => void,
  ): Promise<void> {
    this.#selected ??= selectEngine('auto')
    const { engine } = await this.#selected
    using opener = await SegmentOpener.create(metadata, this.#keys, engine)
    for (const { index, reference } of range.entries) {
      deliver(index, () => opener.open(bytes, reference.position - range.position, reference))
    }
  }

  async #tryRange(range: ReadRange, outcomes: (Message | SealError)[]): Promise<void> {
    const found = await this.#read(range).catch(verdictOf)
    // Of an object that was cut, the frames in front of the cut are still there.
    if (isSealError(found, 'SEAL_MALFORMED') && range.entries.length > 1) {
      for (const half of halvesOf(range)) await this.#tryRange(half, outcomes)
      return
    }
    const verdict = isSealError(found)
      ? found
      : await this.#openRange(range, found, (index, open) => {
          outcomes[index] = outcomeOf(open)
        }).catch(verdictOf)
    if (verdict !== undefined) for (const { index } of range.entries) outcomes[index] = verdict
  }

  async #read({ object, position, length }: ReadRange): Promise<ObjectRange> {
    try {
      return await this.#services.objects.readRange(object, position, length)
    } catch (error) {
      throw await shreddedOr(this.#services.shreds, object, error)
    }
  }
}

async function eachRange(
  ranges: readonly ReadRange[],
  work: (range: ReadRange) => Promise<void>,
): Promise<void> {
  let next = 0
  const run = async () => {
    for (let range = ranges[next++]; range !== undefined; range = ranges[next++]) await work(range)
  }
  await Promise.all(Array.from({ length: Math.min(RANGES_AT_ONCE, ranges.length) }, run))
}

function outcomeOf(open: () => Message): Message | SealError {
  try {
    return open()
  } catch (error) {
    return verdictOf(error)
  }
}

/** The error, when it speaks of the object, the frame or the key; else it is thrown on. */
function verdictOf(error: unknown): SealError {
  const isOpenQuestion =
    !isSealError(error) || error.retryable || isSealError(error, ...NO_VERDICTS)
  if (isOpenQuestion) throw error
  return error
}

function halvesOf({ entries }: ReadRange): readonly ReadRange[] {
  const middle = entries.length >> 1
  const references = [entries.slice(0, middle), entries.slice(middle)]
  return references.flatMap((half) =>
    planReads(half.map(({ reference }) => reference)).map((range) => ({
      ...range,
      entries: range.entries.map(({ index, reference }) => ({
        index: half[index]?.index as number,
        reference,
      })),
    })),
  )
}

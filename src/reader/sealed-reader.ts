import type { Clock } from '../clock.ts'
import { isSealError, SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import { isReferenceList, parseReferences } from '../format/reference-list.ts'
import { ReferenceParser } from '../format/reference-parser.ts'
import { namesSeveral, type Reference } from '../format/reference-value.ts'
import { DekCache, type DekCacheOptions } from '../keys/dek-cache.ts'
import type { DekSources } from '../keys/unwrap-dek.ts'
import type { ObjectReader } from './object-reader.ts'
import { type OpenManyOptions, openMany } from './open-many.ts'
import {
  type IsOutcome,
  type Outcome,
  RangeOpener,
  READ_BOUNDS,
  type ReadBounds,
} from './range-opener.ts'
import { planReads } from './read-plan.ts'
import type { ShredMarks } from './shred-marks.ts'

/** What a reader works with. It owns object store and KMS and closes them. */
export interface ReaderServices extends DekSources {
  readonly objects: ObjectReader
  readonly clock: Clock
  /** Without them, what was shredded is told to be missing. */
  readonly shreds?: ShredMarks
}

/** What a reader may do. */
export interface ReaderPermissions extends DekCacheOptions {
  /** What the keys of objects begin with that may be read, as `s3.prefix` of the encryptor; all where none is named. */
  readonly allowedPrefixes?: readonly string[]
  readonly bounds?: ReadBounds
}

/**
 * The value of a record of a reference topic, as bytes, as text or parsed. {@link SealedReader.openMany}
 * also takes values that name several messages; elsewhere parseReferences makes one each of them.
 */
export type ReferenceValue = Uint8Array | string | Reference

/** What one call of a reader may be told. */
export interface OpenOptions {
  /** Ends the call: it rejects with the reason of the signal, and open requests are given up. */
  readonly signal?: AbortSignal | undefined
}

/** What a call for outcomes may be told besides. */
export interface SettleOptions extends OpenOptions {
  /** The source partition that every reference must be of; of any where none is named. */
  readonly source?: { readonly topic: string; readonly partition: number } | undefined
}

/** What the caller's own rights and settings are the cause of. */
const NO_VERDICTS = ['SEAL_STORE_REFUSED', 'SEAL_KMS_DENIED', 'SEAL_CIPHER_UNAVAILABLE'] as const

/**
 * Opens references. Needs the object store and the KMS, and neither Kafka nor Cassandra: a
 * reference, one ranged GET and the unwrapped key are all it takes. Safe for concurrent use: what is
 * in memory is bounded over all calls by the messages asked for, never by the objects they are in.
 */
export class SealedReader implements AsyncDisposable {
  readonly #services: ReaderServices
  readonly #keys: DekCache
  readonly #ranges: RangeOpener
  readonly #allowedPaths: readonly string[] | undefined
  readonly #parser = new ReferenceParser()

  constructor(services: ReaderServices, permissions: ReaderPermissions) {
    const { allowedPrefixes, bounds = READ_BOUNDS } = permissions
    this.#services = services
    this.#keys = new DekCache(services, services.clock, permissions)
    this.#ranges = new RangeOpener(services, this.#keys, bounds)
    this.#allowedPaths = allowedPrefixes?.map((prefix) => `${prefix}/segments/`)
  }

  /**
   * Opens one reference. Resolves to the message as it was produced. Throws a SealError whose `kind`
   * and `code` say what is wrong (see {@link SealedReader.openReferences}); `retryable` is true when a later try may
   * succeed.
   */
  async openReference(reference: ReferenceValue, options: OpenOptions = {}): Promise<Message> {
    const [message] = await this.openReferences([reference], options)
    return message as Message
  }

  /**
   * Opens many references with as few requests as possible; the messages come in the order of the
   * references. All or nothing: the first failure rejects. Holds all the messages in memory at once, so
   * hand it some megabytes at a time, or call {@link SealedReader.openMany}.
   * Throws SEAL_REFERENCE_INVALID, SEAL_OBJECT_NOT_ALLOWED, SEAL_OBJECT_MISSING, SEAL_MALFORMED,
   * SEAL_SUITE_UNKNOWN, SEAL_SHREDDED, SEAL_KEK_NOT_ALLOWED, SEAL_COMMITMENT_MISMATCH, SEAL_OPEN_FAILED,
   * SEAL_CONTEXT_MISMATCH, SEAL_STORE_*, SEAL_KMS_*, and SEAL_STOPPED after {@link SealedReader.close}.
   */
  async openReferences(
    references: readonly ReferenceValue[],
    { signal }: OpenOptions = {},
  ): Promise<Message[]> {
    const messages = new Array<Message>(references.length)
    const parsed = references.map((value) => this.#parse(value))
    await this.#ranges.openAll(planReads(parsed), messages, signal)
    return messages
  }

  /**
   * Opens references as they come and yields the messages in their order, some megabytes ahead of
   * whoever takes them. References that are next to each other in an object share a request. Waits for
   * none that has not come yet while there is something to yield. Leaving the loop, or the signal, ends
   * what is under way. The first failure is thrown at its place, unless `onFailure` takes it.
   *
   * @example
   * for await (const message of reader.openMany(references)) console.log(message.offset)
   */
  openMany(
    references: Iterable<ReferenceValue> | AsyncIterable<ReferenceValue>,
    options: OpenManyOptions = {},
  ): AsyncGenerator<Message, void, undefined> {
    return openMany(this, references, options)
  }

  /**
   * As {@link SealedReader.openReferences}, but every reference has an outcome of its own: the message, or the
   * SealError that says why there is none. Rejects with the reason of the signal, and with errors that
   * are none of ours.
   */
  settleReferences(
    references: readonly ReferenceValue[],
    options: SettleOptions = {},
  ): Promise<Outcome[]> {
    return this.#settle(references, options, (error) => isSealError(error))
  }

  /**
   * As {@link SealedReader.settleReferences}, for verdicts on the data alone: rejects with whatever is retryable,
   * SEAL_STORE_REFUSED, SEAL_KMS_DENIED and SEAL_CIPHER_UNAVAILABLE.
   */
  tryReferences(references: readonly ReferenceValue[]): Promise<Outcome[]> {
    return this.#settle(references, {}, isVerdict)
  }

  /** Wipes the keys that are kept. Goes on; what is opened next asks the KMS again. */
  wipeKeys(): void {
    this.#keys.wipe()
  }

  /** Wipes the keys and ends the connections; nothing opens afterwards. */
  async close(): Promise<void> {
    this.#keys.close()
    await Promise.all([this.#services.objects.close(), this.#services.kms.close()])
  }

  /** As {@link SealedReader.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #settle(
    references: readonly ReferenceValue[],
    { signal, source }: SettleOptions,
    isOutcome: IsOutcome,
  ): Promise<Outcome[]> {
    const outcomes = new Array<Outcome>(references.length)
    const parsed: Reference[] = []
    const indexes: number[] = []
    references.forEach((value, index) => {
      try {
        const reference = this.#parse(value)
        checkSource(reference, source)
        parsed.push(reference)
        indexes.push(index)
      } catch (error) {
        if (!isOutcome(error)) throw error
        outcomes[index] = error
      }
    })
    const opened = new Array<Outcome>(parsed.length)
    await this.#ranges.settleAll(planReads(parsed), opened, isOutcome, signal)
    indexes.forEach((index, i) => {
      outcomes[index] = opened[i] as Outcome
    })
    return outcomes
  }

  #one(value: ReferenceValue): Reference {
    if (!isReferenceList(value)) return this.#parser.parse(value)
    const references = parseReferences(value)
    if (references.length > 1) throw namesSeveral(references.length)
    return references[0] as Reference
  }

  #parse(value: ReferenceValue): Reference {
    const reference = this.#one(value)
    const paths = this.#allowedPaths
    if (paths === undefined || paths.some((path) => reference.object.startsWith(path)))
      return reference
    throw new SealError(
      'SEAL_OBJECT_NOT_ALLOWED',
      `${reference.object} is under none of the prefixes that this reader may read; add its prefix to s3.allowedPrefixes if you trust it`,
    )
  }
}

function checkSource(reference: Reference, source: SettleOptions['source']): void {
  if (source === undefined) return
  const { topic, partition, offset } = reference
  if (topic === source.topic && partition === source.partition) return
  throw new SealError(
    'SEAL_CONTEXT_MISMATCH',
    `the reference names ${topic}/${partition} offset ${offset}, where only ${source.topic}/${source.partition} belongs`,
  )
}

/** Whether the error speaks of the object, the frame or the key. */
function isVerdict(error: unknown): error is SealError {
  return isSealError(error) && !error.retryable && !isSealError(error, ...NO_VERDICTS)
}

import { type EngineChoice, selectEngine } from '../crypto/cipher-engine.ts'
import { isSealError, type SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import type { DekCache } from '../keys/dek-cache.ts'
import type { ObjectReader } from './object-reader.ts'
import { SegmentOpener } from './open-frame.ts'
import { halvesOf, type ReadRange } from './read-plan.ts'
import { Room } from './room.ts'
import { type ShredMarks, shreddedOr } from './shred-marks.ts'

/** What all that a reader does at once may take together. */
export interface ReadBounds {
  /** Ciphertext in memory, from the request to the last opened frame; one larger frame passes alone. */
  readonly inFlightBytesMax: number
  readonly requestsAtOnceMax: number
}

/** What a reader works with unless it is told otherwise. */
export const READ_BOUNDS: ReadBounds = {
  inFlightBytesMax: 64 * 1024 * 1024,
  requestsAtOnceMax: 48,
}

const RANGES_AT_ONCE = 8

/** A message, or why there is none. */
export type Outcome = Message | SealError

/** What may stand as the outcome of a reference; anything else rejects. */
export type IsOutcome = (error: unknown) => error is SealError

/** Takes a frame, which its second argument opens. */
type Deliver = (index: number, open: () => Message) => void

/** Reads ranges and opens the frames in them, for all callers of one reader within its bounds. */
export class RangeOpener {
  readonly #objects: ObjectReader
  readonly #shreds: ShredMarks | undefined
  readonly #keys: DekCache
  readonly #bytes: Room
  readonly #requests: Room
  #selected: Promise<EngineChoice> | null = null

  constructor(
    { objects, shreds }: { readonly objects: ObjectReader; readonly shreds?: ShredMarks },
    keys: DekCache,
    bounds: ReadBounds,
  ) {
    this.#objects = objects
    this.#shreds = shreds
    this.#keys = keys
    this.#bytes = new Room(bounds.inFlightBytesMax)
    this.#requests = new Room(bounds.requestsAtOnceMax)
  }

  /** Opens every frame of the ranges into `messages`. Rejects with the first failure. */
  async openAll(
    ranges: readonly ReadRange[],
    messages: Message[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await eachRange(ranges, (range) =>
      this.#open(range, signal, (index, open) => {
        messages[index] = open()
      }),
    )
  }

  /** As {@link openAll}, but what `isOutcome` lets pass becomes the outcome of its references. */
  async settleAll(
    ranges: readonly ReadRange[],
    outcomes: Outcome[],
    isOutcome: IsOutcome,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await eachRange(ranges, (range) => this.#settle(range, outcomes, isOutcome, signal))
  }

  async #settle(
    range: ReadRange,
    outcomes: Outcome[],
    isOutcome: IsOutcome,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { entries } = range
    let isRead = false
    try {
      await this.#open(
        range,
        signal,
        (index, open) => {
          outcomes[index] = outcomeOf(open, isOutcome)
        },
        () => {
          isRead = true
        },
      )
    } catch (error) {
      if (!isOutcome(error)) throw error
      // Of an object that was cut, the frames in front of the cut are still there.
      if (!isRead && isSealError(error, 'SEAL_MALFORMED') && entries.length > 1) {
        for (const half of halvesOf(range)) await this.#settle(half, outcomes, isOutcome, signal)
        return
      }
      for (const { index } of entries) outcomes[index] = error
    }
  }

  async #open(
    { object, position, length, entries }: ReadRange,
    signal: AbortSignal | undefined,
    deliver: Deliver,
    onRead = () => {},
  ): Promise<void> {
    const releaseBytes = await this.#bytes.take(length, signal)
    try {
      const { bytes, metadata } = await this.#read(object, position, length, signal)
      onRead()
      this.#selected ??= selectEngine('auto')
      const { engine } = await this.#selected
      using opener = await SegmentOpener.create(metadata, this.#keys, engine)
      signal?.throwIfAborted()
      for (const { index, reference } of entries) {
        deliver(index, () => opener.open(bytes, reference.position - position, reference))
      }
    } finally {
      releaseBytes()
    }
  }

  /** The request alone: a KMS that is slow for one key must not hold up those that need none. */
  async #read(object: string, position: number, length: number, signal: AbortSignal | undefined) {
    const releaseRequest = await this.#requests.take(1, signal)
    try {
      return await this.#objects.readRange(object, position, length, null, signal)
    } catch (error) {
      throw await shreddedOr(this.#shreds, object, error)
    } finally {
      releaseRequest()
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

function outcomeOf(open: () => Message, isOutcome: IsOutcome): Outcome {
  try {
    return open()
  } catch (error) {
    if (isOutcome(error)) return error
    throw error
  }
}

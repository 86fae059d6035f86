import { isSealError, type SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import { ReferenceFeed } from './reference-feed.ts'
import type { OpenOptions, ReferenceValue, SealedReader } from './sealed-reader.ts'
import { slicesAhead } from './slices-ahead.ts'

/** How many references are opened. */
export interface OpenManyOptions extends OpenOptions {
  /** Bytes of messages that are opened ahead of whoever takes them; 16 MiB. One message more passes. */
  readonly bytesAheadMax?: number
  /**
   * Takes a reference that does not open, at its place in the order; the next one follows when it is
   * done. Without it, or when it rejects, the failure ends the reading.
   */
  readonly onFailure?: (error: SealError, reference: ReferenceValue) => void | Promise<void>
}

const BYTES_AHEAD_MAX = 16 * 1024 * 1024

/** See {@link SealedReader.openMany}. */
export async function* openMany(
  reader: Pick<SealedReader, 'settleReferences'>,
  references: Iterable<ReferenceValue> | AsyncIterable<ReferenceValue>,
  { signal, bytesAheadMax = BYTES_AHEAD_MAX, onFailure }: OpenManyOptions,
): AsyncGenerator<Message, void, undefined> {
  const feed = new ReferenceFeed(references, { sliceBytesMax: bytesAheadMax / 4, signal })
  const slices = slicesAhead(
    feed,
    ({ values }, end) => reader.settleReferences(values, { signal: end }),
    bytesAheadMax,
    signal,
  )
  try {
    for await (const { values, opened } of slices) {
      for (const [i, outcome] of opened.entries()) {
        if (!isSealError(outcome)) yield outcome
        else if (onFailure === undefined) throw outcome
        else await onFailure(outcome, values[i] as ReferenceValue)
      }
    }
  } finally {
    feed.close()
  }
}

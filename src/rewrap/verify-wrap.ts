import { timingSafeEqual } from 'node:crypto'
import { isSealError, SealError } from '../errors.ts'
import type { SegmentHeader } from '../format/segment-header.ts'
import { Dek } from '../keys/dek.ts'
import type { DekRecord } from '../keys/key-store.ts'
import type { Kms } from '../keys/kms.ts'
import { kmsContextOf } from '../keys/kms-context.ts'

/** Where headers of segments under a DEK are found. */
export interface SegmentHeaders {
  /** Of segments that are under the DEK now; none when it never sealed, or all are gone. */
  headersUnder(dekId: string): AsyncIterable<SegmentHeader>
}

/** What it takes to see that a new wrap holds the DEK. */
export interface WrapVerifier {
  readonly kms: Pick<Kms, 'unwrap'>
  readonly headers: SegmentHeaders
}

/** Segments that are tried: one may have been damaged. */
const HEADERS_MAX = 3

/**
 * Sees that `next` holds the DEK of `old`: it is unwrapped, and must give the commitment of a segment
 * that it sealed. Where there is no such segment, both wraps are unwrapped and compared. Throws
 * SEAL_COMMITMENT_MISMATCH when it is another key, and what the KMS says.
 */
export async function verifyWrap(
  { kms, headers }: WrapVerifier,
  next: DekRecord,
  old: DekRecord,
): Promise<void> {
  const context = kmsContextOf(next.dekId, next.keyDomain)
  const plaintext = await kms.unwrap(next.kekId, next.wrapped, context)
  const copy = Uint8Array.from(plaintext)
  // Takes `plaintext` over and wipes it.
  const dek = new Dek(next, plaintext)
  try {
    const committed = await commitsToOne(dek, headers)
    if (committed === true) return
    if (committed === false) throw otherKey(next.dekId, 'opens none of its segments')
    const before = await kms.unwrap(old.kekId, old.wrapped, context)
    const isSame = before.length === copy.length && timingSafeEqual(before, copy)
    before.fill(0)
    if (!isSame) throw otherKey(next.dekId, 'holds another key')
  } finally {
    copy.fill(0)
    dek.release()
  }
}

/** Whether the DEK gives the commitment of one of its segments; null when it has none. */
async function commitsToOne(dek: Dek, headers: SegmentHeaders): Promise<boolean | null> {
  let tried = 0
  for await (const header of headers.headersUnder(dek.record.dekId)) {
    try {
      dek.openSegment(header)[Symbol.dispose]()
      return true
    } catch (error) {
      if (!isSealError(error, 'SEAL_COMMITMENT_MISMATCH')) throw error
    }
    if (++tried === HEADERS_MAX) break
  }
  return tried === 0 ? null : false
}

function otherKey(dekId: string, what: string): SealError {
  return new SealError('SEAL_COMMITMENT_MISMATCH', `the new wrap of DEK ${dekId} ${what}`)
}

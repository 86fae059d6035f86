import { idToBytes } from '../format/ids.ts'
import type { ScannedSegment } from '../incident/store-scan.ts'
import type { SegmentKey } from '../mapping/mapping-store.ts'
import { RowDigest } from '../verify/row-digest.ts'

/** Which segments under which DEKs the store holds: some 200 bytes each. */
export class Claims {
  readonly #frames = new Map<string, RowDigest>()

  /** Notes a segment. False when another version has said the very same before. */
  add(found: ScannedSegment): boolean {
    const name = nameOf(found)
    const digest = new RowDigest()
    digest.addFrames(found.frames)
    const isNew = this.#frames.get(name)?.equals(digest) !== true
    this.#frames.set(name, digest)
    return isNew
  }

  has(segment: SegmentKey): boolean {
    return this.#frames.has(nameOf(segment))
  }
}

/** The 32 bytes of both ids as a text of one byte a character. */
function nameOf({ dekId, segmentId }: SegmentKey): string {
  return Buffer.concat([idToBytes(dekId), idToBytes(segmentId)]).toString('latin1')
}

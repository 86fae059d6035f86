import { footerTag } from '../crypto/footer-tag.ts'
import type { NewSegmentKeys, SegmentKeys } from '../crypto/segment-keys.ts'
import { type FrameIndex, joinFooter } from '../format/segment-footer.ts'
import type { SegmentInspection } from '../reader/segment-inspection.ts'
import type { Patch, ResealTask } from './reseal-task.ts'

/**
 * Cuts a segment into ranges of about `partBytes`, each of whole frames: the header goes with the
 * first one, the footer with the last. The new footer is as long as the old one, since all that
 * changes in it is its tag. `shredded` has a 1 for each frame whose message is destroyed.
 */
export function resealTasks(
  inspection: SegmentInspection,
  from: SegmentKeys,
  to: NewSegmentKeys,
  partBytes: number,
  shredded: Uint8Array | null = null,
): Omit<ResealTask, 'upload'>[] {
  const { object: objectKey, pairs, footer, objectBytes, metadata } = inspection
  const { segmentId } = metadata.header
  const { sources, framesEnd, index, covered } = footer
  const head: Patch = { position: 0, bytes: to.header }
  const newFooter = joinFooter(covered, footerTag(to.footerKey, to.header, covered))
  const tail: Patch = { position: framesEnd, bytes: newFooter }
  const cuts = cutsOf(index, partBytes)
  return cuts.map((first, i) => {
    const position = i === 0 ? 0 : (index.position[first] as number)
    const isLast = i === cuts.length - 1
    const next = isLast ? index.count : (cuts[i + 1] as number)
    const end = isLast ? objectBytes : (index.position[next] as number)
    return {
      ...{ objectKey, segmentId, sources, pairs, position, length: end - position },
      frames: columnsOf(index, first, next),
      shredded: shredded?.slice(first, next) ?? null,
      patches: [...(i === 0 ? [head] : []), ...(isLast ? [tail] : [])],
      from: { frameKey: from.frameKey, baseNonce: from.baseNonce },
      to: { frameKey: to.frameKey, baseNonce: to.baseNonce },
    }
  })
}

/** The number of the first frame of every range. No range but the last is below `partBytes`. */
function cutsOf({ count, position }: FrameIndex, partBytes: number): number[] {
  const cuts = [0]
  let from = 0
  for (let i = 0; i < count; i++) {
    const at = position[i] as number
    if (at - from < partBytes) continue
    cuts.push(i)
    from = at
  }
  return cuts
}

/** Copies: what goes to a worker takes no more along than its own frames. */
function columnsOf(index: FrameIndex, from: number, to: number): FrameIndex {
  return {
    count: to - from,
    position: index.position.slice(from, to),
    length: index.length.slice(from, to),
    seq: index.seq.slice(from, to),
    source: index.source.slice(from, to),
    offset: index.offset.slice(from, to),
  }
}

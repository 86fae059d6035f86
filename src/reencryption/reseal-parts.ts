import { footerTag } from '../crypto/footer-tag.ts'
import type { NewSegmentKeys, SegmentKeys } from '../crypto/segment-keys.ts'
import type { IndexedFrame } from '../format/segment-footer.ts'
import { joinFooter } from '../format/segment-footer.ts'
import type { SegmentInspection } from '../reader/segment-inspection.ts'
import type { Patch, ResealFrames, ResealTask } from './reseal-task.ts'

/**
 * Cuts a segment into ranges of about `partBytes`, each of whole frames: the header goes with the
 * first one, the footer with the last. The new footer is as long as the old one, since all that
 * changes in it is its tag.
 */
export function resealTasks(
  inspection: SegmentInspection,
  from: SegmentKeys,
  to: NewSegmentKeys,
  partBytes: number,
): Omit<ResealTask, 'upload'>[] {
  const { object: objectKey, pairs, footer, objectBytes, metadata } = inspection
  const { segmentId } = metadata.header
  const { sources, framesEnd, frames, covered } = footer
  const head: Patch = { position: 0, bytes: to.header }
  const newFooter = joinFooter(covered, footerTag(to.footerKey, to.header, covered))
  const tail: Patch = { position: framesEnd, bytes: newFooter }
  const cuts = cutsOf(frames, partBytes)
  return cuts.map((first, i) => {
    const position = i === 0 ? 0 : (frames[first] as IndexedFrame).position
    const isLast = i === cuts.length - 1
    const next = isLast ? frames.length : (cuts[i + 1] as number)
    const end = isLast ? objectBytes : (frames[next] as IndexedFrame).position
    return {
      ...{ objectKey, segmentId, sources, pairs, position, length: end - position },
      frames: columnsOf(frames, first, next),
      patches: [...(i === 0 ? [head] : []), ...(isLast ? [tail] : [])],
      from: { frameKey: from.frameKey, baseNonce: from.baseNonce },
      to: { frameKey: to.frameKey, baseNonce: to.baseNonce },
    }
  })
}

/** The number of the first frame of every range. No range but the last is below `partBytes`. */
function cutsOf(frames: readonly IndexedFrame[], partBytes: number): number[] {
  const cuts = [0]
  let from = 0
  for (const [i, { position }] of frames.entries()) {
    if (position - from < partBytes) continue
    cuts.push(i)
    from = position
  }
  return cuts
}

function columnsOf(frames: readonly IndexedFrame[], from: number, to: number): ResealFrames {
  const own = frames.slice(from, to)
  return {
    count: own.length,
    position: Float64Array.from(own, ({ position }) => position),
    length: Uint32Array.from(own, ({ length }) => length),
    seq: Uint32Array.from(own, ({ seq }) => seq),
    source: Uint16Array.from(own, ({ source }) => source),
    offset: Float64Array.from(own, ({ offset }) => offset),
  }
}

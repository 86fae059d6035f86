import type { Reference } from '../format/reference-value.ts'

/** References that one ranged GET serves, with their places in the list that was asked for. */
export interface ReadRange {
  readonly object: string
  readonly position: number
  readonly length: number
  readonly entries: readonly { readonly index: number; readonly reference: Reference }[]
}

/** Bytes between two frames that are read along rather than paid for with another request. */
const GAP_BYTES_MAX = 64 * 1024
const RANGE_BYTES_MAX = 8 * 1024 * 1024

/** Groups references into as few ranged GETs as the bounds on gap and size allow. */
export function planReads(references: readonly Reference[]): readonly ReadRange[] {
  const byObject = new Map<string, { index: number; reference: Reference }[]>()
  references.forEach((reference, index) => {
    const entries = byObject.get(reference.object)
    if (entries === undefined) byObject.set(reference.object, [{ index, reference }])
    else entries.push({ index, reference })
  })
  return [...byObject].flatMap(([object, entries]) => rangesOf(object, entries))
}

function rangesOf(object: string, entries: { index: number; reference: Reference }[]): ReadRange[] {
  entries.sort((a, b) => a.reference.position - b.reference.position)
  const ranges: { position: number; end: number; entries: typeof entries }[] = []
  for (const entry of entries) {
    const { position, length } = entry.reference
    const end = position + length
    const last = ranges.at(-1)
    const isNear =
      last !== undefined &&
      position - last.end <= GAP_BYTES_MAX &&
      end - last.position <= RANGE_BYTES_MAX
    if (isNear) {
      last.end = Math.max(last.end, end)
      last.entries.push(entry)
    } else {
      ranges.push({ position, end, entries: [entry] })
    }
  }
  return ranges.map((range) => ({
    object,
    position: range.position,
    length: range.end - range.position,
    entries: range.entries,
  }))
}

/** The references of a range, in two halves, each with as few ranged GETs as it takes. */
export function halvesOf({ entries }: ReadRange): readonly ReadRange[] {
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

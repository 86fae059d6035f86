import { DIFFERENCE_KINDS, type Difference, differenceKinds } from '../rebuild/differences.ts'
import type { RebuildReport } from '../rebuild/rebuild.ts'
import { printable } from './printable.ts'
import { renderCount } from './table.ts'

/** A rebuild, or what one would do, for people: what was read, what differs, and the verdict. */
export function renderRebuild(
  report: RebuildReport,
  isWritten: boolean,
  isKafkaAsked: boolean,
): string {
  const { store, publications, underWay, written } = report
  const lines = [
    `${line('objects', store.versions)}, ${renderCount(store.messages)} messages, ${renderCount(store.deks)} DEKs in the key directory`,
    ...some('gone meanwhile', store.gone),
    ...some('under way', underWay),
    ...(isKafkaAsked
      ? [
          line('referenced', publications.named),
          line('not referenced', publications.unnamed),
          `${line('untold', publications.untold)}${publications.untold > 0 ? ', kept as published' : ''}`,
        ]
      : []),
    ...differenceLines(report),
  ]
  if (isWritten) {
    const { deks, segments, messages } = written
    lines.push(
      `wrote ${renderCount(deks)} DEKs, ${renderCount(segments)} segments, ${renderCount(messages)} messages`,
    )
  }
  lines.push(verdictOf(report, isWritten))
  return `${lines.join('\n')}\n`
}

function differenceLines({ found, differences }: RebuildReport): string[] {
  return differenceKinds.flatMap((kind) => {
    const count = found[kind]
    if (count === 0) return []
    const told = differences.filter((one) => one.kind === kind)
    const rest = count - told.reduce((sum, one) => sum + one.count, 0)
    return [
      `${renderCount(count)} ${DIFFERENCE_KINDS[kind].meaning}`,
      ...told.map((one) => `  ${printable(textOf(one))}`),
      ...(rest > 0 ? [`  ... and ${renderCount(rest)} more`] : []),
    ]
  })
}

function textOf({ object, versionId, dekId, count, meaning }: Difference): string {
  const where = [
    ...(object === undefined ? [] : [object]),
    ...(versionId === undefined ? [] : [`version ${versionId}`]),
    ...(dekId === undefined ? [] : [`DEK ${dekId}`]),
    ...(count === 1 ? [] : [`(${renderCount(count)})`]),
  ]
  return `${where.join(' ')}: ${meaning}`
}

function verdictOf({ isComplete, left }: RebuildReport, isWritten: boolean): string {
  const verdict =
    left === 0
      ? 'index and store are equal'
      : `${renderCount(left)} ${isWritten ? 'differences that a rebuild does not mend' : 'differences'}`
  if (isComplete) return verdict
  return `stopped before the end; the next run goes on, with --resume at once${left === 0 ? '' : `; ${verdict}`}`
}

function line(name: string, count: number): string {
  return `${name.padEnd(16)}${renderCount(count).padStart(14)}`
}

function some(name: string, count: number): string[] {
  return count === 0 ? [] : [line(name, count)]
}

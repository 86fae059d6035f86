import { formatDurationMs } from '../config/quantity.ts'
import type { Finding, FindingKind } from '../verify/findings.ts'
import type { Verification } from '../verify/verify.ts'
import { printable } from './printable.ts'
import { renderCount } from './table.ts'

/** How kinds are named for people. */
const NAMES: Readonly<Record<FindingKind, string>> = {
  lost: 'lost',
  doubled: 'doubled',
  outOfOrder: 'out of order',
  stray: 'stray',
  keyed: 'keyed',
  uncommitted: 'uncommitted',
  dangling: 'dangling',
  altered: 'altered',
  unopenable: 'unopenable',
  unmapped: 'unmapped',
  overmapped: 'overmapped',
  swept: 'swept',
  keyRecord: 'key record',
  unnamedObject: 'unnamed object',
  unnamedUpload: 'unnamed upload',
}

/** Kinds that are counted in the table even when there is none of them. */
const ALWAYS: readonly FindingKind[] = [
  'lost',
  'doubled',
  'outOfOrder',
  'dangling',
  'altered',
  'unmapped',
  'unnamedObject',
  'unnamedUpload',
]

/** What a verification found, for people: the counts, a line a finding, and the verdict. */
export function renderVerification(verification: Verification, isOpened: boolean): string {
  const lines = [...countLines(verification, isOpened), '']
  for (const kind of Object.keys(NAMES) as FindingKind[]) {
    const found = verification.findings.filter((finding) => finding.kind === kind)
    lines.push(...found.map((finding) => `${NAMES[kind]}: ${printable(findingText(finding))}`))
    const told = found.reduce((sum, { count }) => sum + count, 0)
    const rest = verification.wrong[kind] - told
    if (rest > 0) lines.push(`${NAMES[kind]}: ... and ${renderCount(rest)} more`)
  }
  if (verification.findings.length > 0) lines.push('')
  lines.push(verdictOf(verification))
  return `${lines.join('\n')}\n`
}

/** Where it is, and what it means. */
export function findingText(finding: Finding): string {
  const { topic, partition, offset, lastOffset, object, versionId, uploadId, dekId } = finding
  const { count, meaning } = finding
  const where: string[] = []
  if (topic !== undefined) where.push(`${topic}/${partition}`)
  if (lastOffset !== undefined) {
    where.push(`offsets ${offset} to ${lastOffset} (${renderCount(count)})`)
  } else if (offset !== undefined) where.push(`offset ${offset}`)
  if (object !== undefined) where.push(topic === undefined ? object : `in ${object}`)
  if (versionId !== undefined) where.push(`version ${versionId}`)
  if (uploadId !== undefined) where.push(`upload ${uploadId}`)
  if (dekId !== undefined) where.push(topic === undefined && !object ? dekId : `DEK ${dekId}`)
  return `${where.join(' ')}: ${meaning}`
}

function countLines({ counts, wrong, youngMs }: Verification, isOpened: boolean): string[] {
  const line = (name: string, count: number | string) =>
    `${name.padEnd(20)}${(typeof count === 'string' ? count : renderCount(count)).padStart(14)}`
  const some = (name: string, count: number) => (count === 0 ? [] : [line(name, count)])
  const kinds = Object.keys(NAMES) as FindingKind[]
  const { unreferencedObjects, unreferencedYoung } = counts
  return [
    line('messages', counts.messages),
    line('references', counts.references),
    line('opened equal', isOpened ? counts.openedEqual : 'not opened'),
    ...some('opened alone', counts.openedAlone),
    ...some('shredded', counts.shredded),
    ...some('set aside', counts.setAside),
    ...some('message gone', counts.messageGone),
    ...some('reference gone', counts.referenceGone),
    ...kinds.flatMap((kind) =>
      ALWAYS.includes(kind) || wrong[kind] > 0 ? [line(NAMES[kind], wrong[kind])] : [],
    ),
    unreferencedObjects === null
      ? line('unreferenced', 'not counted')
      : `${line('unreferenced', unreferencedObjects)}, ${renderCount(unreferencedYoung ?? 0)} of them younger than ${formatDurationMs(youngMs)}`,
    line('not sealed yet', counts.notSealedYet),
  ]
}

function verdictOf({ isComplete, isConsistent, wrong }: Verification): string {
  const count = Object.values(wrong).reduce((sum, one) => sum + one, 0)
  const verdict = isConsistent ? 'nothing is wrong' : `wrong: ${renderCount(count)}`
  return isComplete ? verdict : `stopped before the end; up to here ${verdict}`
}

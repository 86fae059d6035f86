import type { Dependent } from '../incident/dependent.ts'
import type { CertificateFindings } from '../incident/kek-certificate.ts'
import type { LeftKek } from '../keys/left-kek.ts'
import { printable } from './printable.ts'
import { renderJson } from './render.ts'
import { renderCount, renderTable, renderTime } from './table.ts'

/** What a certificate came to. */
export interface CertificateReport {
  readonly kek: LeftKek
  readonly findings: CertificateFindings
  /** Where the certificate is, if there is one. */
  readonly out: string
  readonly fingerprint: string
  /** The first of what depends. */
  readonly names: readonly Dependent[]
}

/** One thing that depends, on a line of its own. */
export function renderDependentJson(found: Dependent): string {
  if (found.kind === 'dek') return renderJson(found)
  return renderJson({ ...found, retainedUntilMs: finite(found.retainedUntilMs) })
}

/** The last line. */
export function renderCertificateJson(report: CertificateReport): string {
  const { kek, findings, out, fingerprint } = report
  const { isClean } = findings
  return renderJson({
    ...{ kind: 'conclusion', ...kek, ...findings },
    ...(isClean ? { certificate: out, fingerprint } : {}),
  })
}

/** For people: the certificate, or what depends. */
export function renderCertificate(report: CertificateReport): string {
  const { findings, out, fingerprint, names } = report
  const { counts, users, newDeks, totals, remaining } = findings
  const kek = kekName(report.kek)
  if (findings.isClean) {
    const lines = [
      `nothing depends on ${kek}: ${printable(out)}, signed by ${fingerprint}`,
      `looked at: ${lookedAt(totals)}`,
      ...remaining.map(
        ({ object, until }) =>
          `remaining copy until ${until ?? 'its legal hold ends'}: ${printable(object)}`,
      ),
    ]
    return `${lines.join('\n')}\n`
  }
  const { liveDeks, objects, retainedObjects } = counts
  const reasons = [
    ...users.map(userLine),
    ...(newDeks === 0 ? [] : [`${renderCount(newDeks)} data keys came under it meanwhile`]),
    ...(liveDeks + objects === 0
      ? []
      : [`${renderCount(liveDeks)} data keys and ${renderCount(objects)} objects depend on it`]),
    ...(retainedObjects === 0
      ? []
      : [`${renderCount(retainedObjects)} older versions are kept by the store until a date`]),
  ]
  return `no certificate: ${kek} is still needed\n${reasons.map((one) => `- ${one}\n`).join('')}${tables(names)}`
}

function userLine({ kind, name, reason }: CertificateFindings['users'][number]): string {
  const who =
    kind === 'force' ? `key domain ${name ?? '(all that nobody names)'}` : `instance ${name}`
  return `${printable(who)}: ${printable(reason)}`
}

function tables(names: readonly Dependent[]): string {
  const deks = names.filter((one) => one.kind === 'dek')
  const objects = names.filter((one) => one.kind === 'object')
  const dekTable = deks.map(({ dekId, keyDomain, standing, where }) => [
    ...[dekId, keyDomain, standing, where.join(', ')],
  ])
  const objectTable = objects.map(({ why, dekId, retainedUntilMs, objectKey }) => [
    ...[why, dekId ?? '-', retainedText(retainedUntilMs), objectKey],
  ])
  return [
    ...(deks.length === 0
      ? []
      : [renderTable(['DEK', 'KEY DOMAIN', 'STANDING', 'WHERE'], dekTable)]),
    ...(objects.length === 0
      ? []
      : [renderTable(['WHY', 'DEK', 'RETAINED UNTIL', 'OBJECT'], objectTable)]),
  ].join('')
}

function lookedAt({
  versions,
  directoryEntries,
  segmentsOnRecord,
  uploads,
}: CertificateFindings['totals']) {
  const [objects, entries] = [renderCount(versions), renderCount(directoryEntries)]
  const [segments, open] = [renderCount(segmentsOnRecord), renderCount(uploads)]
  return `${objects} versions of objects, ${entries} entries of the key directory, ${segments} segments on record, ${open} open uploads`
}

function kekName({ kekId, kekVersion }: LeftKek): string {
  return printable(`KEK ${kekId}${kekVersion === null ? '' : ` version ${kekVersion}`}`)
}

function retainedText(untilMs: number | null): string {
  return untilMs === Number.POSITIVE_INFINITY ? 'legal hold' : renderTime(untilMs)
}

/** JSON knows no infinity: under a legal hold the year 9999. */
function finite(untilMs: number | null): number | null {
  return untilMs === null || Number.isFinite(untilMs) ? untilMs : Date.UTC(9999, 11, 31)
}

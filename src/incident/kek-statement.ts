import type { Signer } from '../crypto/signing-key.ts'
import type { LeftKek } from '../keys/left-kek.ts'
import type { CertificateFindings } from './kek-certificate.ts'
import { type Statement, statementOf } from './statement.ts'

/** Where and by what a statement was made, and who asked for it. */
export interface StatementOrigin {
  readonly place: {
    readonly bucket: string
    readonly prefix: string
    readonly endpoint: string | null
    readonly keyspace: string
  }
  readonly tool: { readonly name: string; readonly version: string }
  /** As their system knows them, unproven. */
  readonly by: string
}

/** What a certificate says beside its subject. */
export type CertificatePredicate = StatementOrigin & {
  readonly kek: LeftKek
  readonly scan: { readonly startedAt: string; readonly endedAt: string }
  /** Zero, both of them: what nothing but the KEK opens. */
  readonly dependents: { readonly deks: number; readonly objects: number }
  /** On record under the KEK, with nothing under them. */
  readonly unusedDeks: number
  /** Copies that the store keeps until a date, and that the KEK alone opens. */
  readonly remainingCopies: CertificateFindings['remaining']
  readonly lookedAt: CertificateFindings['totals']
  readonly cannotKnow: readonly string[]
}

/** What `predicateType` says of a certificate. */
export const CERTIFICATE_TYPE = 'urn:sealstream:kek-retirement:v1'

const CANNOT_KNOW = [
  'what is outside of this bucket, prefix and keyspace: replicated buckets, backups, snapshots, other deployments',
  'whether the other wrap of a data key opens: that was seen when it was rewrapped, and is not asked again',
  'encryptors that stand at no key desk of this keyspace, or start under another configuration later',
  'copies of data keys in the memory of readers',
]

/** The statement that nothing depends on the KEK. Only of findings that are clean. */
export function certificateOf(
  kek: LeftKek,
  findings: CertificateFindings,
  origin: StatementOrigin,
  signer: Pick<Signer, 'publicPem' | 'fingerprint'>,
): Statement<CertificatePredicate> {
  if (!findings.isClean) throw new Error('a certificate of findings that are not clean')
  const { liveDeks, objects, unusedDeks } = findings.counts
  const version = kek.kekVersion === null ? '' : ` version ${kek.kekVersion}`
  const predicate: CertificatePredicate = {
    ...{ kek, ...origin },
    scan: { startedAt: timeOf(findings.startedAtMs), endedAt: timeOf(findings.endedAtMs) },
    dependents: { deks: liveDeks, objects },
    ...{ unusedDeks, remainingCopies: findings.remaining, lookedAt: findings.totals },
    cannotKnow: CANNOT_KNOW,
  }
  return statementOf(`KEK ${kek.kekId}${version}`, CERTIFICATE_TYPE, predicate, signer)
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString()
}

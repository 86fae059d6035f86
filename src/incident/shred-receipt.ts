import type { Signer } from '../crypto/signing-key.ts'
import type { StatementOrigin } from './kek-statement.ts'
import type { ShredRemainder } from './shred.ts'
import type { ShredRange } from './shred-plan.ts'
import { type Statement, signStatement, statementOf } from './statement.ts'

/** What was destroyed, by one run or by several, and what is left of it. */
export interface ShredReport {
  /** What was asked for, in words: it is the subject of the receipt. */
  readonly subject: string
  readonly reason: string
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** DEKs that were destroyed; none where messages were, inside of segments that go on. */
  readonly deks: readonly string[]
  readonly segments: number
  readonly messages: number
  /** Of the segments; null where it was messages inside of them. */
  readonly bytes: number | null
  readonly ranges: readonly ShredRange[]
  /** What this run itself removed; runs before it are not counted here. */
  readonly removed: { readonly versions: number; readonly uploads: number } | null
  readonly remaining: readonly ShredRemainder[]
  /** Objects that are not published, and may hold such messages yet. */
  readonly unpublished: readonly string[]
  /** DEKs under which segments live on that were re-encrypted: these are not destroyed. */
  readonly movedTo: readonly string[]
}

/** What a receipt says beside its subject. */
export type ReceiptPredicate = StatementOrigin &
  Omit<ShredReport, 'subject' | 'startedAtMs' | 'endedAtMs' | 'remaining'> & {
    readonly startedAt: string
    readonly endedAt: string
    readonly remaining: readonly {
      readonly object: string
      readonly versionId: string | null
      readonly dekId: string
      /** null under a legal hold, which has no end. */
      readonly until: string | null
    }[]
    readonly cannotKnow: readonly string[]
  }

/** What `predicateType` says of a receipt. */
export const RECEIPT_TYPE = 'urn:sealstream:shred-receipt:v1'

const CANNOT_KNOW = [
  'backups and snapshots of Cassandra, which hold wrapped data keys; and its files until gc_grace_seconds and compaction are over',
  'replicated buckets, and backups and inventories of this one: removals by version are not replicated',
  'the source topics in Kafka, which hold the messages in the clear until their retention ends',
  'data keys in the memory of readers, until their caches forget them (reader.keyCacheTtlMs), and what readers have kept',
]

/** The statement of what was destroyed. */
export function receiptOf(
  report: ShredReport,
  origin: StatementOrigin,
  signer: Signer | null,
): Statement<ReceiptPredicate> {
  const { subject, startedAtMs, endedAtMs, remaining, ...rest } = report
  const predicate: ReceiptPredicate = {
    ...{ ...rest, ...origin, startedAt: timeOf(startedAtMs), endedAt: timeOf(endedAtMs) },
    remaining: remaining.map(({ untilMs, ...copy }) => ({
      ...copy,
      until: Number.isFinite(untilMs) ? timeOf(untilMs) : null,
    })),
    cannotKnow: CANNOT_KNOW,
  }
  return statementOf(subject, RECEIPT_TYPE, predicate, signer)
}

/** As it is kept: in a signed envelope, or bare where nobody signs. */
export function renderReceipt(
  statement: Statement<ReceiptPredicate>,
  signer: Signer | null,
): string {
  return signer === null ? `${JSON.stringify(statement)}\n` : signStatement(statement, signer)
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString()
}

import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import type { MappingReader } from '../mapping/mapping-store.ts'
import type { SegmentRegister } from '../mapping/segment-register.ts'
import type { ObjectInventory } from '../segment/object-inventory.ts'
import type { Findings } from './findings.ts'
import type { KeyRecords, Opener, RecordLog } from './ports.ts'
import type { SegmentTable } from './segment-table.ts'

/** Where a verification looks. Everything stays the caller's to close; nothing is changed. */
export interface VerifyServices {
  readonly log: RecordLog
  /** null: frames are not read. */
  readonly opener: Opener | null
  readonly inventory: Pick<ObjectInventory, 'objects' | 'uploads'>
  readonly register: Pick<SegmentRegister, 'segments'>
  readonly mapping: Pick<MappingReader, 'framesOfSegment'>
  readonly keys: KeyRecords
  readonly clock: Clock
}

/** What is verified. */
export interface VerifySettings {
  readonly topics: readonly string[]
  /** False when segments may hold messages of topics beside these. */
  readonly isEveryTopic: boolean
  readonly referenceTopicSuffix: string
  readonly quarantineTopicSuffix: string
  /** Under which segments and the key directory stand in the bucket. */
  readonly prefix: string
  /** Findings of a kind that are kept; all are counted. */
  readonly findingsMax: number
  /** An unreferenced object younger than this may still get its references. */
  readonly youngMs: number
}

/** The steps of a verification, in their order, and what each goes through. */
export type VerifyStep = 'messages' | 'intents' | 'objects' | 'mapped segments' | 'DEKs'

/** Hears how far a verification is. */
export interface VerifyObserver {
  /** `total` is null where it is not known before the end. */
  stepBegan(step: VerifyStep, total: number | null): void
  advanced(count: number): void
}

/** What was counted beside what is wrong. */
export interface VerifyCounts {
  /** Source messages below the committed offsets. */
  messages: number
  /** Records of the reference topics. */
  references: number
  /** References that were opened and found equal to their message. */
  openedEqual: number
  /** References that were opened, but whose message Kafka no longer holds or the group came to later. */
  openedAlone: number
  /** References to messages that were destroyed on purpose. */
  shredded: number
  /** Messages set aside by a note of quarantine. */
  setAside: number
  /** References whose message Kafka no longer holds. */
  messageGone: number
  /** Messages older than the oldest reference that Kafka still holds. */
  referenceGone: number
  /** Source messages from the committed offsets on. */
  notSealedYet: number
  /** Segments that a reference names. */
  segments: number
  /** Object versions under the prefix, marks of deletion left out. */
  objects: number
  /** Of those, the ones of segments that no reference names; null when not every topic was read. */
  unreferencedObjects: number | null
  /** Of those, the ones that are young. */
  unreferencedYoung: number | null
}

/** What all steps of one verification share. */
export interface Check {
  readonly services: VerifyServices
  readonly settings: VerifySettings
  readonly observer: VerifyObserver
  readonly signal: AbortSignal
  readonly findings: Findings
  readonly counts: VerifyCounts
  readonly segments: SegmentTable
  /** By `topic/partition` where older references are gone: the offset of the first that is left. */
  readonly firstReferenced: Map<string, number>
}

/** Between two awaits of every step. Throws SEAL_STOPPED. */
export function throwIfStopped({ signal }: Pick<Check, 'signal'>): void {
  if (!signal.aborted) return
  throw new SealError('SEAL_STOPPED', 'the verification was stopped before its end')
}

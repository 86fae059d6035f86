import { randomUUID } from 'node:crypto'
import { SealError } from '../../src/errors.ts'
import type { Message, MessageContent } from '../../src/format/message.ts'
import { type Reference, ReferenceEncoder } from '../../src/format/reference-value.ts'
import type { DekRecord } from '../../src/keys/key-store.ts'
import type { MappedMessage, SegmentEntry } from '../../src/mapping/mapping-store.ts'
import type { OpenUpload, StoredObject } from '../../src/segment/object-inventory.ts'
import { segmentObjectKey } from '../../src/segment/object-key.ts'
import type { VerifyObserver, VerifyServices, VerifySettings } from '../../src/verify/check.ts'
import type { Place } from '../../src/verify/ports.ts'
import { type Verification, verify } from '../../src/verify/verify.ts'
import { columnsOf } from './frame-columns.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryRecordLog } from './memory-record-log.ts'

export const PREFIX = 'sealed'
export const TOPIC = 'orders'
export const REFERENCES = `${TOPIC}.sealed`
export const NOTES = `${TOPIC}.quarantine`
const FIRST_POSITION = 160
const CREATED_AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5)

const silent: VerifyObserver = { stepBegan: () => {}, advanced: () => {} }

/** A segment as the world of a test holds it. */
export interface WorldSegment {
  entry: SegmentEntry
  /** By position: what the frame there opens to. */
  readonly frames: Map<number, Message>
  readonly rows: MappedMessage[]
}

/**
 * Kafka, bucket and mapping in memory, as encryptors leave them behind: for tests that break one
 * thing and look for it. What a fault test does to real services, the methods of this do here.
 */
export class SealedWorld {
  readonly log = new MemoryRecordLog()
  readonly clock = new ManualClock()
  readonly segments: WorldSegment[] = []
  /** Segments whose intent is not on record. */
  readonly hidden = new Set<WorldSegment>()
  readonly objects: StoredObject[] = []
  readonly uploads: OpenUpload[] = []
  readonly deks = new Map<string, DekRecord>()
  readonly directory = new Map<string, DekRecord>()
  readonly settings: VerifySettings = {
    topics: [TOPIC],
    isEveryTopic: true,
    referenceTopicSuffix: '.sealed',
    quarantineTopicSuffix: '.quarantine',
    prefix: PREFIX,
    findingsMax: 20,
    youngMs: 60_000,
  }

  constructor(partitions: number, isCompacted = false) {
    this.log.createTopic(TOPIC, partitions, isCompacted)
    this.log.createTopic(REFERENCES, partitions)
    this.log.createTopic(NOTES, partitions)
  }

  /** Seals messages into a segment and publishes their references and offsets, as a lane does. */
  seal(messages: readonly Message[]): WorldSegment {
    const segment = this.store(messages)
    for (const row of segment.rows) this.refer({ ...row, object: segment.entry.objectKey })
    for (const partition of new Set(messages.map((message) => message.partition))) {
      this.log.appendOther({ topic: REFERENCES, partition }, 'marker')
      const own = messages.filter((message) => message.partition === partition)
      this.log.commit({ topic: TOPIC, partition }, (own.at(-1)?.offset ?? -1) + 1)
    }
    return segment
  }

  /** A segment with its object, rows, intent and DEK, but without references. */
  store(messages: readonly Message[]): WorldSegment {
    const dekId = randomUUID()
    const segmentId = randomUUID()
    const dek = dekRecord(dekId)
    this.deks.set(dekId, dek)
    this.directory.set(dekId, dek)
    const objectKey = segmentObjectKey({ prefix: PREFIX }, TOPIC, segmentId, CREATED_AT_MS)
    const frames = new Map<number, Message>()
    const rows: MappedMessage[] = []
    let position = FIRST_POSITION
    for (const message of messages) {
      const { topic, partition, offset } = message
      const length = 100 + (message.value?.length ?? 0)
      frames.set(position, message)
      rows.push({ topic, partition, offset, position, length })
      position += length
    }
    const totals = { messageCount: messages.length, bytes: position }
    const times = { sealedAtMs: CREATED_AT_MS, sweptAtMs: null }
    const written = { rowsDekId: dekId, replaces: null, replaced: null, successors: [] }
    const known = { state: 'published', ...times, ...written, ...totals } as const
    const entry = { dekId, segmentId, objectKey, createdAtMs: CREATED_AT_MS, ...known }
    const segment = { entry, frames, rows }
    this.segments.push(segment)
    this.put(objectKey)
    return segment
  }

  /** Puts a version of an object into the bucket. */
  put(key: string, isDeleteMarker = false): void {
    const modifiedAtMs = this.clock.nowMs()
    this.clock.advance(1)
    const versionId = randomUUID()
    const known = { isDeleteMarker, isCurrent: true, bytes: 1 }
    this.objects.push({ key, versionId, ...known, modifiedAtMs })
  }

  /** Appends a reference record, of the partition that the reference names unless told otherwise. */
  refer(reference: Reference, over: { key?: Buffer; partition?: number } = {}): void {
    const { object, topic, partition, offset, position, length } = reference
    const encoder = new ReferenceEncoder(object, topic, partition)
    const value = Buffer.from(encoder.encode(offset, position, length))
    const at = { topic: REFERENCES, partition: over.partition ?? partition }
    this.log.append(at, { ...plain(value), key: over.key ?? null })
  }

  /** Sets a message aside, as the pipeline notes it. */
  setAside({ topic, partition, offset }: Message): void {
    const note = JSON.stringify({ v: 1, topic, partition, offset, reason: 'too large' })
    this.log.append({ topic: NOTES, partition }, plain(Buffer.from(note)))
  }

  get services(): VerifyServices {
    const { segments, objects, uploads, deks, directory } = this
    const named = () => segments.filter((segment) => !this.hidden.has(segment))
    return {
      log: this.log,
      clock: this.clock,
      opener: { open: async (references) => references.map((one) => this.#open(one)) },
      inventory: {
        objects: (prefix) => iterated(objects.filter(({ key }) => key.startsWith(prefix))),
        uploads: (prefix) => iterated(uploads.filter(({ key }) => key.startsWith(prefix))),
      },
      register: { segments: () => iterated(named().map(({ entry }) => entry)) },
      mapping: {
        framesOfSegment: ({ segmentId }) => {
          const rows = segments.find(({ entry }) => entry.segmentId === segmentId)?.rows ?? []
          return iterated(rows.length === 0 ? [] : [columnsOf(rows)])
        },
      },
      keys: {
        onRecord: async (dekId) => deks.get(dekId) ?? null,
        inDirectory: async (dekId) => directory.get(dekId) ?? null,
      },
    }
  }

  verify(
    over: Partial<VerifyServices> = {},
    settings: Partial<VerifySettings> = {},
    signal = new AbortController().signal,
  ): Promise<Verification> {
    return verify({ ...this.services, ...over }, { ...this.settings, ...settings }, silent, signal)
  }

  #open(reference: Reference): Message | SealError {
    const { object, topic, partition, offset, position } = reference
    const isThere = this.objects.findLast(({ key }) => key === object)?.isDeleteMarker === false
    if (!isThere) return new SealError('SEAL_OBJECT_MISSING', `no ${object}`)
    const segment = this.segments.find(({ entry }) => entry.objectKey === object)
    const message = segment?.frames.get(position)
    if (message === undefined) return new SealError('SEAL_OPEN_FAILED', 'no frame there')
    const isIt =
      message.topic === topic && message.partition === partition && message.offset === offset
    return isIt ? message : new SealError('SEAL_CONTEXT_MISMATCH', 'another frame')
  }
}

/** Content that differs from message to message. */
export function content(mark: string): MessageContent {
  const headers = [[Buffer.from('header'), null]] as const
  return { ...plain(Buffer.from(mark)), key: Buffer.from(`key of ${mark}`), headers }
}

/** Appends `count` messages and returns them. */
export function produce(world: SealedWorld, partition: number, count: number): Message[] {
  const at: Place = { topic: TOPIC, partition }
  return Array.from({ length: count }, (_, i) => {
    const made = content(`${partition}-${i}-${randomUUID()}`)
    const offset = world.log.append(at, made)
    return { ...at, offset, ...made }
  })
}

function plain(value: Buffer): MessageContent {
  return { key: null, value, headers: [], timestampMs: 1_767_000_000_000n, timestampType: 'create' }
}

function dekRecord(dekId: string): DekRecord {
  const wrapped = Buffer.from(`wrapped ${dekId}`)
  const kek = { kekId: 'kek', kekVersion: '1' }
  return { dekId, keyDomain: TOPIC, ...kek, wrapped, createdAtMs: CREATED_AT_MS }
}

async function* iterated<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

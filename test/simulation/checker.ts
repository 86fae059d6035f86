import { readFrameHeader } from '../../src/format/frame.ts'
import { parseReferences } from '../../src/format/reference-list.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import type { SegmentIntent } from '../../src/mapping/mapping-store.ts'
import { laneOf, placeOf, type TopicPartition } from '../../src/pipeline/message-source.ts'
import type { SourcePartition } from './source-log.ts'
import type { OutputEntry } from './transactions.ts'
import type { World } from './world.ts'

/** How far one output partition was looked at. */
type MessageAt = TopicPartition & { readonly offset: number }

interface Cursor {
  next: number
  lastOffset: number
}

/** Holds the world to the promises, as things happen and at the end. */
export class Checker {
  readonly #world: World
  readonly #intended = new Set<string>()
  readonly #nonces = new Set<string>()
  readonly #cursors = new Map<string, Cursor>()
  /** Offsets with a visible reference, or set aside, by source partition. */
  readonly #settled = new Map<string, Set<number>>()
  /** Records of each source partition that were found settled, and the committed offset then. */
  readonly #proven = new Map<string, { records: number; committed: number }>()
  /** Every reference that readers see, and the objects that these name. */
  readonly visible: Reference[] = []
  readonly namedObjects = new Set<string>()

  constructor(world: World) {
    this.#world = world
  }

  intentComes({ dekId, objectKey, segmentId }: SegmentIntent): void {
    if (!this.#world.registry.deks.has(dekId)) {
      this.#world.violate(`the intent of segment ${segmentId} comes before its wrapped DEK`)
    }
    this.#intended.add(objectKey)
  }

  storeTouched(objectKey: string): void {
    if (this.#intended.has(objectKey)) return
    this.#world.violate(`${objectKey} reaches the bucket before its intent is durable`)
  }

  /** What a sweep takes, nobody refers to; a reference that comes later finds nothing. */
  swept(objectKey: string): void {
    if (this.namedObjects.has(objectKey)) {
      this.#world.violate(`${objectKey} is swept, and references name it`)
    }
  }

  frameSealed(keyAndNonce: string): void {
    if (this.#nonces.has(keyAndNonce)) this.#world.violate('a (key, nonce) pair comes twice')
    this.#nonces.add(keyAndNonce)
  }

  /** All markers of a transaction are written: what it made visible is looked at. */
  transactionEnded(transactionalId: string): void {
    const { lanes } = this.#world.scenario.settings
    const lane = Number(transactionalId.slice('lane-'.length))
    this.#look((at) => laneOf(at, lanes) === lane)
  }

  /** Looks at every lane whose last transaction has ended. */
  lookAround(): void {
    const { scenario, kafka } = this.#world
    const { lanes } = scenario.settings
    this.#look((at) => !kafka.transactions.isEnding(`lane-${laneOf(at, lanes)}`))
  }

  /** Source messages that are neither referenced nor set aside, up to where a partition must stop. */
  unsettled(
    mustStopAt: (message: { topic: string; partition: number; offset: number }) => boolean,
  ) {
    const left: string[] = []
    for (const { records, place } of this.#world.kafka.partitions) {
      const settled = this.#settled.get(place)
      for (const { offset, message } of records) {
        if (message === null) continue
        if (mustStopAt(message)) break
        if (!settled?.has(offset)) left.push(`${place}@${offset}`)
      }
    }
    return left
  }

  #look(isMeant: (at: TopicPartition) => boolean): void {
    const { referenceTopicSuffix, quarantineTopicSuffix } = this.#world.scenario.settings
    for (const partition of this.#world.kafka.partitions) {
      const { at } = partition
      if (!isMeant(at)) continue
      this.#read(at, referenceTopicSuffix, ({ value }) => parseReferences(value), true)
      this.#read(at, quarantineTopicSuffix, (entry) => [noteOf(entry)], false)
      this.#prove(partition)
    }
  }

  #read(
    at: TopicPartition,
    suffix: string,
    parse: (entry: OutputEntry) => readonly MessageAt[],
    isReference: boolean,
  ): void {
    const place = placeOf({ topic: at.topic + suffix, partition: at.partition })
    const entries = this.#world.kafka.transactions.output.get(place) ?? []
    const cursor = this.#cursors.get(place) ?? { next: 0, lastOffset: -1 }
    this.#cursors.set(place, cursor)
    for (; cursor.next < entries.length; cursor.next++) {
      const entry = entries[cursor.next] as OutputEntry
      if (entry.state === 'open') return
      if (entry.state === 'aborted') continue
      for (const found of parse(entry)) {
        const named = `${placeOf(found)}@${found.offset}`
        if (placeOf(found) !== placeOf(at)) this.#world.violate(`${named} is published in ${place}`)
        if (found.offset <= cursor.lastOffset) {
          this.#world.violate(`${named} is published behind ${cursor.lastOffset}`)
        }
        cursor.lastOffset = found.offset
        this.#settle(at, found.offset)
        if (isReference) this.#resolve(found as Reference)
      }
    }
  }

  #settle(at: TopicPartition, offset: number): void {
    const place = placeOf(at)
    const settled = this.#settled.get(place) ?? new Set()
    this.#settled.set(place, settled)
    if (settled.has(offset)) this.#world.violate(`${place}@${offset} is published twice`)
    settled.add(offset)
  }

  /** Everything below the committed offset is settled, and the committed offset only rises. */
  #prove({ place, records }: SourcePartition): void {
    const committed = this.#world.kafka.transactions.committed.get(place) ?? 0
    const proven = this.#proven.get(place) ?? { records: 0, committed: 0 }
    this.#proven.set(place, proven)
    if (committed < proven.committed) {
      this.#world.violate(`the committed offset of ${place} falls to ${committed}`)
    }
    proven.committed = committed
    const settled = this.#settled.get(place)
    for (; proven.records < records.length; proven.records++) {
      const { offset, message } = records[proven.records] as (typeof records)[number]
      if (offset >= committed) return
      if (message === null || settled?.has(offset)) continue
      this.#world.violate(`${place}@${offset} is lost: ${committed} is committed, no reference`)
    }
  }

  /** There is the object with the frame, and the row. */
  #resolve(reference: Reference): void {
    const { object, topic, partition, offset, position, length } = reference
    this.visible.push(reference)
    this.namedObjects.add(object)
    const named = `${topic}/${partition}@${offset}`
    const found = this.#world.bucket.objects.get(object)
    if (found === undefined) {
      this.#world.violate(`${named} refers to ${object}, which is not there`)
      return
    }
    const header = readFrameHeader(found.bytes, position)
    if (header.offset !== offset || header.frameBytes !== length) {
      this.#world.violate(`${named} refers to another frame of ${object}`)
    }
    const segmentId = object.slice(object.lastIndexOf('/') + 1, -'.seal'.length)
    const row = this.#world.registry.segments
      .get(segmentId)
      ?.rows.get(`${topic}/${partition}/${offset}`)
    if (row?.position !== position || row.length !== length) {
      this.#world.violate(`${named} is visible without its mapping row`)
    }
  }
}

function noteOf({ value }: OutputEntry): MessageAt {
  return JSON.parse(Buffer.from(value).toString())
}

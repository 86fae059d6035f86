import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Message } from '../../../src/format/message.ts'
import { parseReference, type Reference } from '../../../src/format/reference-value.ts'
import type { FindingKind } from '../../../src/verify/findings.ts'
import {
  NOTES,
  PREFIX,
  produce,
  REFERENCES,
  SealedWorld,
  TOPIC,
  type WorldSegment,
} from '../../support/sealed-world.ts'

type Wrong = Partial<Record<FindingKind, number>>

/** One way to break a right world; tells what must be found. */
type Break = (scene: Scene) => Wrong

/** A right world, and things in it that a break can take hold of. */
interface Scene {
  readonly world: SealedWorld
  readonly sealed: readonly Message[]
  readonly setAside: readonly Message[]
  readonly unsealed: readonly Message[]
  /** One of `items`, by chance. */
  pick<T>(items: readonly T[]): T
}

const anyPlan = fc.record({
  partitions: fc.integer({ min: 2, max: 4 }),
  rounds: fc.array(fc.integer({ min: 4, max: 25 }), { minLength: 2, maxLength: 6 }),
  dice: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
})
type Plan = typeof anyPlan extends fc.Arbitrary<infer T> ? T : never

/** Rounds of messages on several partitions, each sealed as one segment; with gaps, notes and a rest. */
function sceneOf({ partitions, rounds, dice }: Plan): Scene {
  const world = new SealedWorld(partitions)
  const sealed: Message[] = []
  const setAside: Message[] = []
  const unsealed: Message[] = []
  rounds.forEach((count, round) => {
    const messages: Message[] = []
    for (let partition = 0; partition < partitions; partition++) {
      if (round > 0 && (round + partition) % 3 === 0) continue
      const made = produce(world, partition, count)
      if ((round + partition) % 2 === 0) setAside.push(...made.splice(count >> 1, 1))
      messages.push(...made)
    }
    sealed.push(...messages)
    world.seal(messages)
    for (let partition = 0; partition < partitions; partition++) {
      const marker = world.log.appendOther({ topic: TOPIC, partition }, 'marker')
      world.log.commit({ topic: TOPIC, partition }, marker + 1)
    }
  })
  for (const message of setAside) world.setAside(message)
  for (let partition = 0; partition < partitions; partition++) {
    unsealed.push(...produce(world, partition, 3))
  }
  let throws = 0
  const pick = <T>(items: readonly T[]) =>
    items[(dice[throws++ % dice.length] ?? 0) % items.length] as T
  return { world, sealed, setAside, unsealed, pick }
}

const segmentOf = ({ world }: Scene, message: Message) =>
  world.segments.find(({ frames }) => [...frames.values()].includes(message)) as WorldSegment

function referenceTo(scene: Scene, message: Message): Reference {
  const { entry, rows } = segmentOf(scene, message)
  const row = rows.find(
    (one) => one.partition === message.partition && one.offset === message.offset,
  )
  return { ...(row as Reference), object: entry.objectKey }
}

/** Changes the reference records of a partition. */
function changeReferences(
  { world }: Scene,
  partition: number,
  change: (records: Message[], indexOf: (message: Message) => number) => void,
): void {
  world.log.rewrite({ topic: REFERENCES, partition }, (messages) => {
    const records = [...messages]
    change(records, (message) =>
      records.findIndex(({ value }) => parseReference(value as Buffer).offset === message.offset),
    )
    return records
  })
}

const breaks: Record<string, Break> = {
  'a reference is missing': (scene) => {
    const message = scene.pick(scene.sealed)
    changeReferences(scene, message.partition, (records, at) => records.splice(at(message), 1))
    return { lost: 1, overmapped: 1 }
  },
  'the committed offset runs ahead': (scene) => {
    const { partition, offset } = scene.pick(scene.unsealed)
    scene.world.log.commit({ topic: TOPIC, partition }, offset + 1)
    const skipped = scene.unsealed.filter((one) => one.partition === partition)
    return { lost: skipped.filter((one) => one.offset <= offset).length }
  },
  'a note of quarantine is missing': (scene) => {
    const { partition, offset } = scene.pick(scene.setAside)
    scene.world.log.rewrite({ topic: NOTES, partition }, (notes) =>
      notes.filter(({ value }) => JSON.parse(String(value)).offset !== offset),
    )
    return { lost: 1 }
  },
  'a reference record stands there twice': (scene) => {
    const message = scene.pick(scene.sealed)
    changeReferences(scene, message.partition, (records, at) =>
      records.splice(at(message), 0, records[at(message)] as Message),
    )
    return { doubled: 1 }
  },
  'everything was sealed a second time': (scene) => {
    scene.world.seal(scene.sealed)
    return { doubled: scene.sealed.length }
  },
  'a sealed message was set aside as well': (scene) => {
    scene.world.setAside(scene.pick(scene.sealed))
    return { doubled: 1 }
  },
  'a reference stands one too late': (scene) => {
    const message = scene.pick(scene.sealed)
    const { partition } = message
    const own = scene.sealed.filter((one) => one.partition === partition)
    const first = own.indexOf(message) === own.length - 1 ? (own.at(-2) as Message) : message
    changeReferences(scene, partition, (records, at) => {
      const index = at(first)
      records.splice(index, 2, records[index + 1] as Message, records[index] as Message)
    })
    return { outOfOrder: 1 }
  },
  'a reference stands on another partition': (scene) => {
    const message = scene.pick(scene.sealed)
    const { partition } = message
    changeReferences(scene, partition, (records, at) => records.splice(at(message), 1))
    scene.world.refer(referenceTo(scene, message), { partition: partition === 0 ? 1 : 0 })
    return { lost: 1, stray: 1, overmapped: 1 }
  },
  'a reference has a key': (scene) => {
    const message = scene.pick(scene.sealed)
    changeReferences(scene, message.partition, (records, at) =>
      records.splice(at(message), 1, {
        ...(records[at(message)] as Message),
        key: Buffer.from('key'),
      }),
    )
    return { keyed: 1 }
  },
  'a record of the reference topic is no reference': (scene) => {
    const { partition } = scene.pick(scene.sealed)
    scene.world.refer({ ...referenceTo(scene, scene.pick(scene.sealed)), offset: -1, partition })
    return { stray: 1 }
  },
  'a reference is for an offset behind the end of the source': (scene) => {
    scene.world.refer({ ...referenceTo(scene, scene.pick(scene.sealed)), offset: 1_000_000 })
    return { stray: 1 }
  },
  'a reference is for the offset of a marker': (scene) => {
    const message = scene.pick(scene.sealed)
    const taken = new Set(
      [...scene.sealed, ...scene.setAside]
        .filter(({ partition }) => partition === message.partition)
        .map(({ offset }) => offset),
    )
    let offset = 0
    while (taken.has(offset)) offset++
    scene.world.refer({ ...referenceTo(scene, message), offset })
    return { stray: 1 }
  },
  'the committed offset was set back': (scene) => {
    const { partition, offset } = scene.pick(scene.sealed)
    scene.world.log.commit({ topic: TOPIC, partition }, offset)
    const again = scene.sealed.filter((one) => one.partition === partition && one.offset >= offset)
    return { uncommitted: again.length }
  },
  'an object is gone': (scene) => {
    const { entry, rows } = segmentOf(scene, scene.pick(scene.sealed))
    const { objects } = scene.world
    objects.splice(
      objects.findIndex(({ key }) => key === entry.objectKey),
      1,
    )
    return { dangling: rows.length }
  },
  'a mark of deletion covers an object': (scene) => {
    const { entry, rows } = segmentOf(scene, scene.pick(scene.sealed))
    scene.world.put(entry.objectKey, true)
    return { dangling: rows.length }
  },
  'an object was overwritten with another': (scene) => {
    const { frames, rows } = segmentOf(scene, scene.pick(scene.sealed))
    const other = scene.world.store(produce(scene.world, 0, 2))
    frames.clear()
    for (const [position, message] of other.frames) frames.set(position, message)
    return { altered: rows.length }
  },
  'a message opens to a timestamp of another type': (scene) => {
    return alter(scene, (message) => ({ ...message, timestampType: 'append' }))
  },
  'a message opens to another timestamp': (scene) => {
    return alter(scene, (message) => ({ ...message, timestampMs: message.timestampMs + 1n }))
  },
  'a message opens to no key instead of its own': (scene) => {
    return alter(scene, (message) => ({ ...message, key: null }))
  },
  'a message opens to an empty value': (scene) => {
    return alter(scene, (message) => ({ ...message, value: Buffer.alloc(0) }))
  },
  'a message opens with a header more': (scene) => {
    const header = [Buffer.from('a'), null] as const
    return alter(scene, (message) => ({ ...message, headers: [...message.headers, header] }))
  },
  'a message opens with an empty header instead of null': (scene) => {
    const headers = [[Buffer.from('header'), Buffer.alloc(0)]] as const
    return alter(scene, (message) => ({ ...message, headers }))
  },
  'a mapping row is missing': (scene) => {
    const { rows } = segmentOf(scene, scene.pick(scene.sealed))
    rows.splice(rows.indexOf(scene.pick(rows)), 1)
    return { unmapped: 1 }
  },
  'a mapping row says another position': (scene) => {
    const { rows } = segmentOf(scene, scene.pick(scene.sealed))
    const row = scene.pick(rows)
    rows[rows.indexOf(row)] = { ...row, position: row.position + 1 }
    return { unmapped: 1 }
  },
  'the places of two mapping rows are exchanged': (scene) => {
    const { rows } = segmentOf(scene, scene.pick(scene.sealed))
    const [a, b] = rows as [(typeof rows)[0], (typeof rows)[0]]
    rows.splice(0, 2, { ...a, position: b.position }, { ...b, position: a.position })
    return { unmapped: 2 }
  },
  'a referenced segment has a row for a message that it does not hold': (scene) => {
    const { rows } = segmentOf(scene, scene.pick(scene.sealed))
    rows.push({ ...scene.pick(rows), offset: 500_000 })
    return { overmapped: 1 }
  },
  'a referenced segment is marked as swept': (scene) => {
    const segment = segmentOf(scene, scene.pick(scene.sealed))
    segment.entry = { ...segment.entry, sweptAtMs: 1 }
    segment.rows.splice(0)
    return { swept: 1 }
  },
  'a DEK is not on record': (scene) => {
    scene.world.deks.delete(segmentOf(scene, scene.pick(scene.sealed)).entry.dekId)
    return { keyRecord: 1 }
  },
  'a DEK is not in the key directory': (scene) => {
    scene.world.directory.delete(segmentOf(scene, scene.pick(scene.sealed)).entry.dekId)
    return { keyRecord: 1 }
  },
  'the key directory has another wrap of a DEK': (scene) => {
    const { dekId } = segmentOf(scene, scene.pick(scene.sealed)).entry
    const record = scene.world.directory.get(dekId)
    if (record !== undefined) {
      scene.world.directory.set(dekId, { ...record, wrapped: Buffer.from('other') })
    }
    return { keyRecord: 1 }
  },
  'an object is there that no intent names': (scene) => {
    scene.world.put(`${PREFIX}/segments/orders/forgotten.seal`)
    return { unnamedObject: 1 }
  },
  'the intent of a referenced segment is gone': (scene) => {
    scene.world.hidden.add(segmentOf(scene, scene.pick(scene.sealed)))
    return { unnamedObject: 1 }
  },
  'an upload is open that no intent names': (scene) => {
    const key = `${PREFIX}/segments/orders/begun.seal`
    scene.world.uploads.push({ key, uploadId: 'upload', startedAtMs: 0 })
    return { unnamedUpload: 1 }
  },
}

/** Lets a frame open to something else. */
function alter(scene: Scene, change: (message: Message) => Message): Wrong {
  const message = scene.pick(scene.sealed)
  const { frames } = segmentOf(scene, message)
  for (const [position, one] of frames) if (one === message) frames.set(position, change(message))
  return { altered: 1 }
}

/** The kinds that are not zero. */
function nonZero(wrong: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(wrong).filter(([, count]) => count !== 0))
}

describe('verify', () => {
  test('finds nothing in a right world, and counts all of it', async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        const { world, sealed, setAside, unsealed } = sceneOf(plan)
        const { wrong, counts, isComplete, isConsistent, findings } = await world.verify()
        expect(nonZero(wrong)).toEqual({})
        expect({ isComplete, isConsistent, findings }).toEqual({
          ...{ isComplete: true, isConsistent: true, findings: [] },
        })
        expect(counts).toEqual({
          messages: sealed.length + setAside.length,
          references: sealed.length,
          openedEqual: sealed.length,
          openedAlone: 0,
          shredded: 0,
          setAside: setAside.length,
          messageGone: 0,
          referenceGone: 0,
          notSealedYet: unsealed.length,
          segments: plan.rounds.length,
          objects: plan.rounds.length,
          unreferencedObjects: 0,
          unreferencedYoung: 0,
        })
      }),
    )
  })

  test.each(Object.entries(breaks))('finds exactly it: %s', async (_name, breakIt) => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        const scene = sceneOf(plan)
        const expected = breakIt(scene)
        const { wrong, findings, isConsistent } = await scene.world.verify()
        expect(nonZero(wrong)).toEqual(nonZero(expected))
        expect(isConsistent).toBe(false)
        const counted: Record<string, number> = {}
        for (const { kind, count } of findings) counted[kind] = (counted[kind] ?? 0) + count
        expect(counted).toEqual(nonZero(expected))
      }),
      { numRuns: 20 },
    )
  })
})

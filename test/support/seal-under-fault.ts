import { expect } from 'vitest'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess, runCommand } from './encryptor-process.ts'
import type { FaultBench } from './fault-bench.ts'
import { numberedRecords } from './records.ts'
import { expectSealedOnce } from './sealed-proof.ts'
import type { ConfigChanges, SealingPlace } from './sealing-place.ts'

/** What is sealed while something is wrong. */
export interface FaultyRun {
  readonly changes: ConfigChanges
  readonly messages?: number
  readonly valueBytes?: number
  readonly env?: Readonly<Record<string, string>>
  /** Goes on beside the sealing; the proof waits for it. */
  readonly during?: (encryptor: EncryptorProcess) => Promise<void>
  readonly withinMs?: number
}

const PARTITIONS = 2
const MESSAGES = 2_000
const MIB = 1024 * 1024
const WITHIN_MS = 120_000

/** Enough large messages for segments of several parts. */
export const SEVERAL_PARTS = {
  messages: 64,
  valueBytes: 256 * 1024,
  changes: { 'part.bytesMax': '5MiB', 'segment.ageMs': '5s', 'segment.bytesMax': '7MiB' },
} as const

/**
 * Seals messages with one encryptor that meets faults, until all are published, ends it in good
 * order, and proves that each was sealed exactly once. Returns the messages.
 */
export async function sealUnderFault(
  bench: FaultBench,
  place: SealingPlace,
  run: FaultyRun,
): Promise<readonly Message[]> {
  const { kafka } = bench
  await kafka.createTopic(place.topic, PARTITIONS)
  const records = numberedRecords(run.messages ?? MESSAGES, place.name, run.valueBytes)
  const batchRecords = run.valueBytes === undefined ? 100 : Math.ceil(MIB / run.valueBytes)
  const messages = await kafka.appendMany(place.topic, PARTITIONS, records, batchRecords)
  const encryptor = new EncryptorProcess(place.config(run.changes), run.env)
  await Promise.all([
    run.during?.(encryptor),
    untilSealed(bench, place, encryptor, run.withinMs ?? WITHIN_MS),
  ])
  expect((await encryptor.stop()).code).toBe(0)
  await proveSealedOnce(bench, place, messages)
  return messages
}

/**
 * Proves that the topic of a place was sealed exactly once: message by message, and by the checker
 * that users have, which looks at bucket and mapping too.
 */
export async function proveSealedOnce(
  { kafka }: FaultBench,
  place: SealingPlace,
  messages: readonly Message[],
): Promise<void> {
  await expectSealedOnce(kafka, place, place.topic, messages)
  const { code, stdout, stderr } = await runCommand(['verify', '--config', place.config()])
  expect({ code, said: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, said: '' })
}

/** Resolves when the encryptor has published all that is in the topic now. */
export async function untilSealed(
  { kafka }: FaultBench,
  place: SealingPlace,
  encryptor: EncryptorProcess,
  withinMs = WITHIN_MS,
): Promise<void> {
  const ends = await kafka.ends(place.topic)
  const isDone = () => kafka.hasReached(place.groupId, place.topic, ends)
  await encryptor.until('done', isDone, withinMs)
}

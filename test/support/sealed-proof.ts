import { expect } from 'vitest'
import type { Message } from '../../src/format/message.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import type { KafkaFixture, OutputRecord } from './kafka-fixture.ts'
import { comparable } from './messages.ts'
import type { SealingPlace } from './sealing-place.ts'

/** A reference and the message that it opens to. */
export interface OpenedReference {
  readonly reference: Reference
  readonly message: Message
}

const SLICE_REFERENCES = 2_000
const SLICE_BYTES = 16 * 1024 * 1024

/**
 * Proves that a topic was sealed exactly once: its reference topic has one record a message, on the
 * same partition and in order, with a null key; each opens to the very message. Returns the pairs.
 */
export async function expectSealedOnce(
  kafka: KafkaFixture,
  place: SealingPlace,
  topic: string,
  messages: readonly Message[],
): Promise<OpenedReference[]> {
  const expected = inOrder(messages)
  const references = await expectReferencedOnce(kafka, topic, messages)
  const opened = await openAll(place, references)
  expectSame(opened.map(contentText), expected.map(contentText))
  return references.map((reference, i) => ({ reference, message: opened[i] as Message }))
}

/**
 * Proves of a topic that is too large to open every message of it that its reference topic has one
 * record a message, on the same partition and in order, with a null key; returns the references.
 */
export async function expectReferencedOnce(
  kafka: KafkaFixture,
  topic: string,
  messages: readonly Message[],
): Promise<Reference[]> {
  const records = await kafka.references(topic)
  expectSame(
    records.map((record) => `${placeOf(record)} ${placeOf(record.reference)}`),
    inOrder(messages).map((message) => `${message.partition} null ${placeOf(message)}`),
  )
  return records.map(({ reference }) => reference)
}

function inOrder(messages: readonly Message[]): Message[] {
  return messages.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
}

/** Opens references in slices, as a consumer with bounded memory does. */
export async function openAll(
  place: SealingPlace,
  references: readonly Reference[],
): Promise<Message[]> {
  const reader = place.reader()
  const messages: Message[] = []
  try {
    let slice: Reference[] = []
    let bytes = 0
    for (const [i, reference] of references.entries()) {
      slice.push(reference)
      bytes += reference.length
      const isLast = i === references.length - 1
      if (!isLast && slice.length < SLICE_REFERENCES && bytes < SLICE_BYTES) continue
      messages.push(...(await reader.openReferences(slice)))
      slice = []
      bytes = 0
    }
  } finally {
    await reader.close()
  }
  return messages
}

/** Names the first difference: a diff of thousands of lines tells nobody anything. */
function expectSame(actual: readonly string[], expected: readonly string[]): void {
  const at = actual.findIndex((line, i) => line !== expected[i])
  const from = at < 0 ? Math.min(actual.length, expected.length) : at
  const present = new Set(actual)
  const outline = (lines: readonly string[]) => ({
    count: lines.length,
    distinct: new Set(lines).size,
    present: lines.filter((line) => present.has(line)).length,
    firstDifference: lines.slice(from, from + 2).map((line) => line.slice(0, 500)),
  })
  expect(outline(actual)).toEqual(outline(expected))
}

function placeOf(at: OutputRecord | Reference | Message): string {
  if ('topic' in at) return `${at.topic}/${at.partition}@${at.offset}`
  return `${at.partition} ${at.key === null ? 'null' : 'keyed'}`
}

function contentText(message: Message): string {
  const { timestampMs, ...content } = comparable(message)
  return JSON.stringify([placeOf(message), `${timestampMs}`, content])
}

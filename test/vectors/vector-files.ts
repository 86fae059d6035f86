import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type ErrorCode, SealError } from '../../src/errors.ts'
import type { Message } from '../../src/format/message.ts'
import type { KmsContext, Unwrapper } from '../../src/keys/kms.ts'
import { kmsContextOf } from '../../src/keys/kms-context.ts'

/** A message with all its bytes in hex; i64 as decimal text, since JSON numbers end at 2^53. */
export interface VectorMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly seq: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, value: string | null])[]
  readonly timestampMs: string
  readonly timestampType: 'create' | 'append'
}

/** Everything that decides the bytes of a segment, its randomness included. */
export interface VectorInput {
  readonly prefix: string
  readonly keyDomain: string
  readonly clusterId: string
  readonly segmentId: string
  readonly generation: number
  readonly dekId: string
  readonly dek: string
  readonly salt: string
  readonly createdAtMs: number
  readonly kekId: string
  readonly wrapped: string
  readonly token: string
  readonly messages: readonly VectorMessage[]
}

/** What is stored and published of a segment. */
export interface VectorOutput {
  readonly objectKey: string
  readonly header: string
  readonly kmsContextHash: string
  readonly metadata: Readonly<Record<string, string>>
  readonly object: string
  readonly references: readonly string[]
}

/** A segment that every implementation must make and open exactly so. */
export interface PositiveVector {
  readonly name: string
  readonly about: string
  readonly input: VectorInput
  readonly output: VectorOutput
}

/** One wrapped key that the KMS of a vector knows. */
export interface VectorWrap {
  readonly kekId: string
  readonly wrapped: string
  readonly context: KmsContext
  readonly dek: string
}

/** What a reader finds. */
export interface VectorPlace {
  readonly kms: readonly VectorWrap[]
  readonly allowedKekIds: readonly string[]
  readonly objectKey: string
  readonly metadata: Readonly<Record<string, string>>
  readonly object: string
  /** With it one message is read, without it the whole object is verified. */
  readonly reference?: string
}

/** Where a reading ends, by the names that docs/format.md gives its steps. */
export interface Refusal {
  readonly step: string
  readonly code: ErrorCode
}

/** One fault, and how every implementation must refuse it. */
export interface NegativeVector extends VectorPlace {
  readonly name: string
  readonly about: string
  readonly expected: Refusal
}

/** One hash over many segments, by their number. */
export interface AccumulatedVector {
  readonly about: string
  readonly sha256: Readonly<Record<'1000' | '10000', string>>
}

export const V1_FOLDER = join(import.meta.dirname, 'v1')

/** The frozen vectors of one kind, by file. */
export function readVectors<T>(kind: 'positive' | 'negative'): (T & { readonly file: string })[] {
  const folder = join(V1_FOLDER, kind)
  return readdirSync(folder)
    .sort()
    .map((name) => ({ file: join(folder, name), ...readJson<T>(join(folder, name)) }))
}

/** The accumulated vector of v1. */
export function readAccumulated(): AccumulatedVector {
  return readJson(join(V1_FOLDER, 'accumulated.json'))
}

/** The parsed content of a JSON file. */
export function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T
}

/** Writes a vector unless it is there: a frozen file is never written again. */
export function writeOnce(file: string, content: unknown): boolean {
  if (existsSync(file)) return false
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`)
  return true
}

/** What a reader finds of a positive vector. */
export function placeOf({ input, output }: PositiveVector): VectorPlace {
  const { kekId, wrapped, dek, dekId, keyDomain } = input
  const { objectKey, metadata, object } = output
  const context = kmsContextOf(dekId, keyDomain)
  return {
    kms: [{ kekId, wrapped, context, dek }],
    allowedKekIds: [kekId],
    objectKey,
    metadata,
    object,
  }
}

/** The message of a vector as the product has it. */
export function messageOf(message: VectorMessage): Message {
  const { topic, partition, offset, timestampType } = message
  return {
    ...{ topic, partition, offset, timestampType },
    key: bytesOf(message.key),
    value: bytesOf(message.value),
    headers: message.headers.map(([name, value]) => [Buffer.from(name, 'hex'), bytesOf(value)]),
    timestampMs: BigInt(message.timestampMs),
  }
}

/** The reverse of {@link messageOf}. */
export function vectorMessageOf(message: Message, seq: number): VectorMessage {
  const { topic, partition, offset, timestampType } = message
  return {
    ...{ topic, partition, offset, seq },
    key: hexOf(message.key),
    value: hexOf(message.value),
    headers: message.headers.map(([name, value]) => [hexOf(name) as string, hexOf(value)]),
    timestampMs: String(message.timestampMs),
    timestampType,
  }
}

/** Knows the wrapped keys of one vector, and refuses everything else as a KMS does. */
export class VectorKms implements Unwrapper {
  readonly #wraps: readonly VectorWrap[]

  constructor(wraps: readonly VectorWrap[]) {
    this.#wraps = wraps
  }

  async unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    const asked = textOf({ kekId, wrapped: hexOf(wrapped) as string, context })
    const found = this.#wraps.find((wrap) => textOf(wrap) === asked)
    if (found === undefined) throw new SealError('SEAL_KMS_REFUSED', 'no such wrapped key')
    return Uint8Array.from(Buffer.from(found.dek, 'hex'))
  }

  async close(): Promise<void> {}
}

function textOf({ kekId, wrapped, context }: Omit<VectorWrap, 'dek'>): string {
  return JSON.stringify([kekId, wrapped, Object.entries(context).sort()])
}

function bytesOf(hex: string | null): Buffer | null {
  return hex === null ? null : Buffer.from(hex, 'hex')
}

function hexOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('hex')
}

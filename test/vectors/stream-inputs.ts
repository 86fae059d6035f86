import { createHash } from 'node:crypto'
import { idToText } from '../../src/format/ids.ts'
import { sealInput } from './seal-input.ts'
import type { VectorInput, VectorMessage } from './vector-files.ts'

const SEED = 'sealstream/v1/accumulated'
/** More than one segment ever takes. */
const BYTES_PER_SEGMENT = 1024

/** Bytes of SHAKE-128 over the seed, taken from the front. */
class Stream {
  readonly #bytes: Buffer
  #at = 0

  constructor(length: number) {
    this.#bytes = createHash('shake128', { outputLength: length }).update(SEED).digest()
  }

  take(count: number): Buffer {
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  byte(): number {
    return this.take(1).readUInt8()
  }

  hex(count: number): string {
    return this.take(count).toString('hex')
  }
}

/** SHA-256 over `count` objects that are made of the stream (README.md, "Accumulated"). */
export function accumulate(count: number): string {
  const stream = new Stream(count * BYTES_PER_SEGMENT)
  const total = createHash('sha256')
  for (let i = 0; i < count; i++) {
    total.update(Buffer.from(sealInput(nextInput(stream)).object, 'hex'))
  }
  return total.digest('hex')
}

function nextInput(stream: Stream): VectorInput {
  const input = {
    ...{ prefix: 'sealed', keyDomain: 'accumulated', clusterId: 'cluster' },
    ...{ kekId: 'kek', wrapped: '00', token: '00000000-0000-0000-0000-000000000000' },
    ...{ dek: stream.hex(32), salt: stream.hex(32) },
    ...{ segmentId: idToText(stream.take(16)), dekId: idToText(stream.take(16)) },
    generation: stream.take(2).readUInt16BE() + 1,
    createdAtMs: stream.take(5).readUIntBE(0, 5),
  }
  let offset = stream.take(6).readUIntBE(0, 6)
  let seq = -1
  const messages = Array.from({ length: 1 + (stream.byte() % 4) }, () => {
    offset += 1 + stream.byte()
    seq += 1 + (stream.byte() % 2)
    return { offset, seq, ...nextMessage(stream) }
  })
  return { ...input, messages }
}

function nextMessage(stream: Stream): Omit<VectorMessage, 'offset' | 'seq'> {
  const flags = stream.byte()
  const place = { topic: `t${stream.byte() % 3}`, partition: stream.byte() % 4 }
  const timestampMs = String(stream.take(8).readBigInt64BE())
  const key = stream.hex(stream.byte() % 16)
  const value = stream.hex(stream.byte() % 64)
  const headers = Array.from({ length: stream.byte() % 3 }, (_, i) => {
    const name = stream.hex(stream.byte() % 8)
    const isNull = ((flags >> (4 + i)) & 1) === 1
    return [name, isNull ? null : stream.hex(stream.byte() % 8)] as const
  })
  return {
    ...place,
    key: (flags & 1) === 0 ? key : null,
    value: (flags & 2) === 0 ? value : null,
    ...{ headers, timestampMs, timestampType: (flags & 4) === 0 ? 'create' : 'append' },
  }
}

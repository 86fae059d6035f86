import type { WireProtocol } from './wire-session.ts'

/** Requests of the Kafka protocol that tests speak of, by api key. */
const KAFKA_KINDS: Readonly<Record<number, string>> = {
  0: 'Produce',
  1: 'Fetch',
  3: 'Metadata',
  11: 'JoinGroup',
  12: 'Heartbeat',
  22: 'InitProducerId',
  24: 'AddPartitionsToTxn',
  25: 'AddOffsetsToTxn',
  26: 'EndTxn',
  28: 'TxnOffsetCommit',
}

const HOST = Buffer.from('127.0.0.1')
const PORT_BYTES = 4

/**
 * Kafka (https://kafka.apache.org/protocol): a length, then api key, version and correlation id, or
 * the correlation id alone. Clients follow the addresses in answers, so those are led to the proxy.
 */
export const kafkaProtocol: WireProtocol = {
  frameBytes: (bytes) => (bytes.length < 4 ? null : 4 + bytes.readInt32BE(0)),
  request(frame) {
    const key = frame.readInt16BE(4)
    return { id: frame.readInt32BE(8), kind: KAFKA_KINDS[key] ?? `api ${key}` }
  },
  answerId: (frame) => frame.readInt32BE(4),
  lead(answer, fromPort, toPort) {
    // Host and port stand side by side in every answer that names a broker.
    const address = Buffer.alloc(HOST.length + PORT_BYTES)
    HOST.copy(address)
    address.writeInt32BE(fromPort, HOST.length)
    for (let at = answer.indexOf(address); at >= 0; at = answer.indexOf(address, at + 1)) {
      answer.writeInt32BE(toPort, at + HOST.length)
    }
  },
}

const CQL_KINDS: Readonly<Record<number, string>> = {
  1: 'STARTUP',
  5: 'OPTIONS',
  7: 'QUERY',
  9: 'PREPARE',
  10: 'EXECUTE',
  11: 'REGISTER',
  13: 'BATCH',
}

const CQL_HEAD_BYTES = 9
const CQL_ERROR = 0
const CQL_WRITE_TIMEOUT = 0x1100
const CQL_LOCAL_QUORUM = 6

/** CQL native protocol v3 and v4: version, flags, stream, opcode and length, then the body. */
export const cqlProtocol: WireProtocol = {
  frameBytes: (bytes) =>
    bytes.length < CQL_HEAD_BYTES ? null : CQL_HEAD_BYTES + bytes.readInt32BE(5),
  request: (frame) => ({
    id: frame.readInt16BE(2),
    kind: CQL_KINDS[frame[4] as number] ?? `opcode ${frame[4]}`,
  }),
  answerId: (frame) => frame.readInt16BE(2),
}

/** What a coordinator says that has applied a write on some replica and gave up waiting for the rest. */
export function cqlWriteTimeout(answer: Buffer): Buffer {
  const text = (value: string) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(value.length)
    return Buffer.concat([length, Buffer.from(value)])
  }
  const code = Buffer.alloc(4)
  code.writeInt32BE(CQL_WRITE_TIMEOUT)
  const counts = Buffer.alloc(10)
  counts.writeUInt16BE(CQL_LOCAL_QUORUM, 0)
  counts.writeInt32BE(0, 2)
  counts.writeInt32BE(1, 6)
  const body = Buffer.concat([code, text('applied, but late'), counts, text('UNLOGGED_BATCH')])
  const head = Buffer.from(answer.subarray(0, CQL_HEAD_BYTES))
  // Neither warnings nor compression nor tracing.
  head[1] = 0
  head[4] = CQL_ERROR
  head.writeInt32BE(body.length, 5)
  return Buffer.concat([head, body])
}

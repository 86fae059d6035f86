import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import zlib from 'node:zlib'
import { decodeRecord } from './record-decoder.ts'

type Kafkajs = typeof import('kafkajs')

const RECORD_DECODER = 'kafkajs/src/protocol/recordBatch/record/v0/decoder.js'

let loaded: Kafkajs | null = null

/**
 * Loads kafkajs with our record decoder in place of its own, which merges headers into a plain
 * object: names like `constructor` come back broken, the order between names and of numeric names
 * is lost (docs/decisions, "kafkajs"). The library loads its protocol lazily and by path, so the
 * decoder is exchanged in the module cache, after forgetting what may hold the old one. zstd is
 * added to the codecs that it knows.
 */
export function loadKafkajs(): Kafkajs {
  if (loaded !== null) return loaded
  const require = createRequire(import.meta.url)
  const root = dirname(require.resolve('kafkajs/package.json')) + sep
  for (const path of Object.keys(require.cache)) {
    if (path.startsWith(root)) delete require.cache[path]
  }
  require(RECORD_DECODER)
  const decoder = require.cache[require.resolve(RECORD_DECODER)]
  if (decoder === undefined) throw new Error('kafkajs has no record decoder to exchange')
  decoder.exports = decodeRecord
  const kafkajs = require('kafkajs') as Kafkajs
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: async (encoder: { buffer: Buffer }) => zlib.zstdCompressSync(encoder.buffer),
    decompress: async (bytes: Buffer) => zlib.zstdDecompressSync(bytes),
  })
  loaded = kafkajs
  return kafkajs
}

import { parentPort, workerData } from 'node:worker_threads'
import { selectEngine } from '../../../src/crypto/cipher-engine.ts'
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts'

/** Seals every frame of a part in this thread; started by cipher-engine.test.ts. */
const { key, baseNonce, part, frameBytes, aad } = workerData
const { engine } = await selectEngine('openssl')
const bytes = Buffer.from(part)
using cipher = engine.create({ frameKey: SecretBytes.takeFrom(key), baseNonce })
for (let seq = 0; seq * frameBytes < bytes.length; seq++) {
  cipher.seal(bytes, seq * frameBytes, frameBytes, seq, aad)
}
parentPort?.postMessage(bytes)

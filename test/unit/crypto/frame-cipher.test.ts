import { nodeEngine, selectEngine } from '../../../src/crypto/cipher-engine.ts'
import { frameCipherContract } from '../../contracts/frame-cipher.contract.ts'

frameCipherContract('node', async () => nodeEngine)
frameCipherContract('openssl', async () => (await selectEngine('openssl')).engine)

// An empty project that has installed the package opens a reference: as an ES module.
import { createReader, ERROR_CODES, isSealError, SealError, SealedConsumer } from 'sealstream'

const [settings, reference] = process.argv.slice(2)
const reader = createReader(JSON.parse(settings))
const { value } = await reader.openReference(reference)
const refused = await reader.openReference('{}').catch((error) => error)
const isRefused = refused instanceof SealError && isSealError(refused, 'SEAL_REFERENCE_INVALID')
const isWhole = typeof SealedConsumer === 'function' && 'SEAL_MALFORMED' in ERROR_CODES
console.log(JSON.stringify([Buffer.from(value).toString(), isRefused, refused.kind, isWhole]))
await reader.close()

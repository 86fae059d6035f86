// The same as CommonJS, which loads ES modules by itself since Node 22.12.
const { createReader, ERROR_CODES, isSealError, SealedConsumer, SealError } = require('sealstream')

async function main() {
  const [settings, reference] = process.argv.slice(2)
  const reader = createReader(JSON.parse(settings))
  const { value } = await reader.openReference(reference)
  const refused = await reader.openReference('{}').catch((error) => error)
  const isRefused = refused instanceof SealError && isSealError(refused, 'SEAL_REFERENCE_INVALID')
  const isWhole = typeof SealedConsumer === 'function' && 'SEAL_MALFORMED' in ERROR_CODES
  console.log(JSON.stringify([Buffer.from(value).toString(), isRefused, refused.kind, isWhole]))
  await reader.close()
}

main()

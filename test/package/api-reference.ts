import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'

const ROOT = resolve(import.meta.dirname, '../..')
const DOCUMENTER = join(ROOT, 'node_modules/@microsoft/api-documenter/bin/api-documenter')
const ENTRY = 'dist/src/index.d.ts'
const run = promisify(execFile)

/** Where the reference is kept. */
export const API_REFERENCE_FOLDER = join(ROOT, 'docs/api')

/**
 * Writes a page for each public export and each of its members into an empty folder, from the types of
 * the built package. API Extractor has a TypeScript of its own, which reads declarations alone, so that
 * it does not matter which version of the compiler wrote them.
 */
export async function writeApiReference(into: string): Promise<void> {
  const model = mkdtempSync(join(tmpdir(), 'sealstream-api-'))
  try {
    extract(join(model, 'sealstream.api.json'))
    await run(process.execPath, [DOCUMENTER, 'markdown', '-i', model, '-o', into])
    for (const name of readdirSync(into)) {
      const page = join(into, name)
      writeFileSync(page, readFileSync(page, 'utf8').replaceAll('\r\n', '\n'))
    }
  } finally {
    rmSync(model, { recursive: true, force: true })
  }
}

function extract(apiJsonFilePath: string): void {
  const compilerOptions = {
    ...{ module: 'nodenext', moduleResolution: 'nodenext', target: 'es2024' },
    ...{ lib: ['es2024', 'esnext'], types: ['node'], strict: true, skipLibCheck: true },
  }
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(ROOT, 'package.json'),
    configObject: {
      projectFolder: ROOT,
      mainEntryPointFilePath: join(ROOT, ENTRY),
      compiler: { overrideTsconfig: { compilerOptions, files: [ENTRY] } },
      apiReport: { enabled: false },
      docModel: { enabled: true, apiJsonFilePath },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        // A link that leads nowhere leaves a hole in its sentence.
        extractorMessageReporting: { 'ae-unresolved-link': { logLevel: ExtractorLogLevel.Error } },
      },
    },
  })
  const { succeeded } = Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message) => {
      // Warnings are of tags that are not used here. What is wrong fails.
      message.handled = message.logLevel !== ExtractorLogLevel.Error
    },
  })
  if (!succeeded) throw new Error('the types of the package cannot be read')
}

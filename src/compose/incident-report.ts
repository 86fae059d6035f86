import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { messageOf, SealError } from '../errors.ts'
import type { Incident } from '../response/incident.ts'
import { reportValuesOf } from '../response/report-values.ts'
import { fillTemplate } from '../response/template.ts'

/**
 * Fills every template (`*.md`) of a folder, those of the package where none is named, and writes all
 * events beside. Returns the paths. All are filled before the first is written. Throws
 * SEAL_INPUT_INVALID for a template that asks for what nobody knows, SEAL_OUTPUT_FAILED.
 */
export async function writeReport(
  incident: Incident,
  out: string,
  templates: string | null,
): Promise<readonly string[]> {
  const folder = templates ?? join(packageFolder(), 'docs', 'runbooks')
  const values = reportValuesOf(incident)
  const filled = (await templatesIn(folder)).map(
    ({ name, text }) => [name, fillTemplate(name, text, values)] as const,
  )
  const events = `${incident.events.map((event) => JSON.stringify(event)).join('\n')}\n`
  const files = [...filled, ['events.ndjson', events] as const]
  try {
    await mkdir(out, { recursive: true })
    for (const [name, text] of files) await writeFile(join(out, name), text)
  } catch (error) {
    throw new SealError('SEAL_OUTPUT_FAILED', `${out} cannot be written: ${messageOf(error)}`)
  }
  return files.map(([name]) => join(out, name))
}

async function templatesIn(folder: string): Promise<{ name: string; text: string }[]> {
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.md')).sort()
    if (names.length === 0) throw new Error('there is no template')
    return await Promise.all(
      names.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })),
    )
  } catch (error) {
    const message = `the templates in ${folder} cannot be read: ${messageOf(error)}`
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
}

/** The package finds itself by name, from the sources and from the build alike. */
function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('sealstream/package.json'))
}

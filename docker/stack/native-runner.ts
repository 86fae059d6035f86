import { installParts } from './install.ts'
import { endPart, launchPart, logPathOf, logTail, runningPart } from './part-process.ts'
import type { Runner } from './runner.ts'

/** Runs the parts as processes of this machine, from the shared folder of installed parts. */
export const nativeRunner: Runner = {
  name: 'native',
  install: (_, report) => installParts(report),
  async launch(part, context) {
    await launchPart(context.directory, part.name, await part.plan(context))
  },
  running: (part, { directory }) => runningPart(directory, part.name),
  end: (part, { directory }) => endPart(directory, part.name, part.graceMs),
  logPlace: (part, { directory }) => logPathOf(directory, part.name),
  logTail: async (part, { directory }) => logTail(directory, part.name),
  erase: async () => {},
}

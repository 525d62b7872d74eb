import { ChartSection } from './chart.js'
import { Connection } from './connection.js'
import { byId, setText } from './dom.js'
import { HeadlineSection } from './headline.js'
import { JobsSection } from './jobs.js'
import { PartitionsSection } from './partitions.js'
import { RejectsSection } from './rejects.js'
import { State } from './state.js'
import { TimeSection } from './time.js'
import { TimelineSection } from './timeline.js'
import { WorkersSection } from './workers.js'

const state = new State()
const headline = new HeadlineSection()
const jobs = new JobsSection(() => jobs.update(state))

/** @type {[parts: string[], section: { update(state: State): void }][]} which parts of a message change which section */
const SECTIONS = [
  [['headline', 'others'], headline],
  [['jobs', 'order', 'job'], jobs],
  [['points', 'drawn'], new ChartSection()],
  [['job'], new PartitionsSection()],
  [['workers', 'workersLeftOut'], new WorkersSection()],
  [['time'], new TimeSection()],
  [['job'], new RejectsSection()],
  [['events'], new TimelineSection()],
]

const connection = new Connection(message => {
  const changed = state.take(message)
  const { pipeline } = state.parts
  setText(byId('pipeline'), pipeline ? `${pipeline.pipeline} on ${pipeline.brokers}` : '')
  for (const [parts, section] of SECTIONS) if (parts.some(part => changed.has(part))) section.update(state)
})

const jobInAddress = () => new URLSearchParams(location.search).get('job')
let open = jobInAddress()

function openJob() {
  const job = jobInAddress()
  const isOther = job !== open
  open = job
  connection.open(job, isOther)
}

// A click on a job changes the address and the stream, and leaves the page as it is: focus and scroll position stay.
document.addEventListener('click', event => {
  const link = event.target instanceof Element ? event.target.closest('a[data-job]') : null
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return
  event.preventDefault()
  history.pushState(null, '', link.getAttribute('href'))
  openJob()
})
addEventListener('popstate', openJob)
setInterval(() => headline.tick(state), 1000)
connection.open(open)

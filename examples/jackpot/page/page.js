/** The page: it draws what the server tells, and keeps nothing. */

const WINS_SHOWN = 20
const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' })
const whole = new Intl.NumberFormat('en')

const find = (id) => document.getElementById(id)

/** An element with text, and text alone: a player may be called anything. */
function element(tag, className, text = '') {
  const made = document.createElement(tag)
  made.className = className
  made.textContent = text
  return made
}

function showConnection(state) {
  find('connection').dataset.state = state
  find('connection').textContent = state
}

function showOverview({ leaders, recent, winCount, amountCents }) {
  find('amount').textContent = money.format(amountCents / 100)
  find('count').textContent = whole.format(winCount)
  find('leader').textContent = leaders[0]?.player ?? '–'
  const most = leaders[0]?.amountCents ?? 1
  find('leaders').replaceChildren(
    ...leaders.map(({ player, amountCents: cents }, index) => {
      const row = element('li', '')
      const meter = element('meter', '')
      meter.max = most
      meter.value = cents
      meter.setAttribute('aria-label', `share of the lead: ${player}`)
      row.append(
        element('span', 'rank', String(index + 1)),
        element('span', 'name', player),
        element('span', 'cents', money.format(cents / 100)),
        meter,
      )
      return row
    }),
  )
  // What came while the page was not connected; what it has seen stays where it is.
  for (const win of recent.toReversed()) showWin(win)
}

function showWin({ id, player, game, amountCents }) {
  if (find(`win-${id}`) !== null) return
  const row = element('li', 'fresh')
  row.id = `win-${id}`
  row.append(
    element('span', 'name', player),
    element('span', 'cents', money.format(amountCents / 100)),
    element('span', 'game', game),
  )
  find('wins').prepend(row)
  while (find('wins').children.length > WINS_SHOWN) find('wins').lastElementChild.remove()
}

// The browser connects again by itself, and is given an overview.
const events = new EventSource('/events')
events.addEventListener('open', () => showConnection('live'))
events.addEventListener('error', () => showConnection('lost'))
events.addEventListener('overview', ({ data }) => showOverview(JSON.parse(data)))
events.addEventListener('win', ({ data }) => showWin(JSON.parse(data)))

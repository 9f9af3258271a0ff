'use strict';
const $ = id => document.getElementById(id);
const iam = document.documentElement.dataset.callerAuth === 'iam';
const tones = {verified: 'good', rejected: 'bad', retry: 'bad', wait: 'wait'};
const statusTones = {'Approved': 'good', 'Declined': 'bad', 'Expired': 'bad', 'Abandoned': 'bad', 'Kyc Expired': 'bad', 'Deleted': 'bad', 'In Review': 'wait', 'Awaiting User': 'wait'};

// element returns an element with properties and children, strings or elements.
function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
const bdi = (text, properties) => element('bdi', {title: text, ...properties}, text);
const time = (at, style) => element('time', {dateTime: at}, new Date(at).toLocaleTimeString([], style));
const pill = (text, tone) => element('span', {className: 'pill ' + (tone || '')}, text);
// put replaces the children of an element if what they show has changed, so that focus and selection stay.
const drawn = new Map();
function put(id, shown, make) {
  const text = JSON.stringify(shown);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  const key = document.activeElement?.dataset.key;
  const held = key && $(id).contains(document.activeElement);
  $(id).replaceChildren(...[make()].flat());
  if (held) ([...$(id).querySelectorAll('[data-key]')].find(e => e.dataset.key === key) || $('hops')).focus();
}
const say = text => { $('news').textContent = text; };

// What the page remembers over a reload, in this tab.
const kept = Object.assign({user: 'alice', chosen: '', tab: 'curl', one: false, body: '{}'}, JSON.parse(sessionStorage.getItem('page') || '{}'));
const keep = change => sessionStorage.setItem('page', JSON.stringify(Object.assign(kept, change)));
let state = {sessions: [], hops: [], armed: {faults: [], quirks: []}, version: 0};
const documents = new Map(); // session id → what GET returned to the app, and when to ask again
const links = new Map(); // session id → {url, qr}
let problem = null; // the app's last answer, if it was a refusal
let behind = 0; // when Didit and the record began to differ, by this page's clock
let received = Date.now();

// authorization returns the header that identifies a user. A name that no header can carry, and one of another claim, go into a JWT.
function authorization(user) {
  if (iam) return 'AWS4-HMAC-SHA256 unverified';
  const claim = state.principal_claim || 'sub';
  const proof = state.issuer ? {iss: state.issuer, aud: state.audiences[0], iat: 1700000000, exp: 4102444800} : {};
  if (claim === 'sub' && !state.issuer && /^[\x21-\x7e]+$/.test(user)) return 'Bearer ' + user;
  const bytes = new TextEncoder().encode(JSON.stringify({[claim]: user, ...proof}));
  return 'Bearer e30.' + btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '') + '.e30';
}
async function send(method, path, headers, body) {
  const response = await fetch(path, {method, headers: body === undefined ? headers : {...headers, 'Content-Type': 'application/json'}, body});
  return {status: response.status, retryAfter: Number(response.headers.get('Retry-After')), data: await response.json().catch(() => ({}))};
}
const asApp = r => send(r.method, r.path, {Authorization: authorization(kept.user)}, r.body);
async function local(method, path, body) {
  const answer = await send(method, '/local/' + path, {}, body && JSON.stringify(body));
  if (answer.status >= 400) say(answer.data.error || answer.data.message || 'refused with ' + answer.status);
  return answer;
}
// during runs the work of a button, which keeps the focus and ignores further clicks until it is done.
async function during(button, work) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  try { await work(); } catch (error) { lost(error); }
  button.removeAttribute('aria-disabled');
  draw();
}
function onClick(button, work) {
  button.addEventListener('click', () => during(button, work));
  return button;
}

// The app.
const mine = () => state.sessions.filter(s => s.vendor_data === kept.user);
const chosen = () => state.sessions.find(s => s.session_id === kept.chosen);
const ofApp = () => { const c = chosen(); return c && c.recorded && c.vendor_data === kept.user ? c : mine().find(s => s.recorded); };
// complete adds what a server sends, the end user, and a workflow if there is no default.
function complete(text) {
  const added = {...(iam ? {vendor_data: kept.user} : {}), ...(state.workflow === '' ? {workflow_id: '11111111-2222-3333-4444-555555555555'} : {})};
  if (!Object.keys(added).length) return text;
  try { return JSON.stringify({...added, ...JSON.parse(text)}); } catch { return text; }
}
const creation = () => ({method: 'POST', path: '/sessions?qr=svg', body: complete(kept.body)});
const question = id => ({method: 'GET', path: '/sessions/' + id});
const screens = {
  none: ['card', 'Welcome', 'Verify your identity to open an account. You need an ID document and two minutes.', 'Verify my identity'],
  verify: ['card', 'Almost there', 'You have not finished your verification.', 'Continue'],
  open: ['leave', 'Your page is ready', 'Continue on Didit’s page. Come back at any time.', 'Open Didit’s page'],
  wait: ['clock', 'We are looking at it', 'A person reviews your documents. You can close the app.', 'Ask again'],
  verified: ['check', 'You are verified', 'Thank you. Your account is open.', 'Verify once more'],
  rejected: ['cross', 'We could not verify you', 'Have a look at your document, and try again.', 'Try again'],
  retry: ['again', 'Your session has ended', 'It was not finished in time, or is not valid any more.', 'Start again'],
};
const icons = {
  card: 'M3 5.5h18v13H3zM8 9.4a1.7 1.7 0 1 0 .01 0M5.4 16c.5-2 4.7-2 5.2 0M14 10h4M14 14h4', leave: 'M14 4h6v6M20 4l-9 9M18 14v6H4V6h6',
  clock: 'M12 3a9 9 0 1 0 .01 0M12 7v5l3.5 2', check: 'M5 12.5l4.5 4.5L19 7.5', cross: 'M6 6l12 12M18 6L6 18', again: 'M20 12a8 8 0 1 1-2.3-5.6M20 3v4.5h-4.5',
};
function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = document.createElementNS(svg.namespaceURI, 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  path.setAttribute('d', icons[name]);
  svg.append(path);
  return svg;
}
const troubles = {
  already_verified: 'You are verified already: no second session was needed.', in_review: 'Your last session is still in review.',
  too_many_sessions: 'Too many attempts today. Try again tomorrow.', user_blocked: 'This account cannot be verified. Contact support.',
  invalid_request: 'Something in the request is wrong.', throttled: 'Too many people are verifying. Try again in a moment.',
  didit_unavailable: 'The service is not available. Try again in a moment.', didit_timeout: 'That took too long. Try again.',
};
// screenOf returns the app's screen, the session that it is about, and the request behind its button, if it sends one.
function screenOf() {
  const session = ofApp(), document = session && documents.get(session.session_id)?.data;
  const next = document ? document.next : session ? session.next : 'none';
  const link = session && links.get(session.session_id);
  if (next === 'verify' && link) return {name: 'open', session, document, link, request: question(session.session_id)};
  if (next === 'wait') return {name: next, session, document, request: question(session.session_id)};
  return {name: screens[next] ? next : 'wait', session, document, request: creation()};
}
async function ask(session) {
  const known = documents.get(session.session_id) || {pause: 0};
  documents.set(session.session_id, {...known, asking: true});
  const answer = await asApp(question(session.session_id));
  const pause = Math.min(60, Math.max(answer.retryAfter, known.pause * 1.5));
  const changed = known.data && answer.data.status !== known.data.status;
  if (changed) say('The app: ' + screens[answer.data.next]?.[1]);
  documents.set(session.session_id, {
    data: answer.status === 200 ? answer.data : undefined, pause: changed ? answer.retryAfter : pause,
    seen: session.updated_at + session.status, due: answer.retryAfter ? Date.now() + 1000 * pause : Infinity});
}
async function create() {
  const answer = await asApp(creation()), id = answer.data.session_id;
  problem = answer.status >= 300 ? answer.data : null;
  if (problem) {
    if (problem.session_id) keep({chosen: problem.session_id});
    return say(answer.status + ' ' + (problem.code || problem.message));
  }
  links.set(id, {url: answer.data.url, qr: answer.data.qr});
  documents.delete(id);
  keep({chosen: id});
  say(answer.status === 201 ? 'A session was created. Open Didit’s page.' : 'The same session again. Open Didit’s page.');
  await refresh(false);
}
onClick($('act'), async () => {
  const screen = screenOf();
  if (screen.name === 'open') window.open(screen.link.url, '_blank', 'noopener');
  else if (screen.name === 'wait') await ask(screen.session);
  else await create();
});
onClick($('workflow'), async () => {
  const {data} = await local('POST', 'workflows', {user_id: kept.user});
  const text = !data.name ? data.message || 'refused' : data.error ? data.name + ' failed: ' + data.error : data.name + ' waits for the decision. Its session has no link: the app gets one.';
  $('workflow-answer').textContent = text;
  say(text);
  if (data.session_id) keep({chosen: data.session_id});
  await refresh(false);
});
onClick($('forget'), async () => {
  say('Forgetting takes a few seconds.');
  const {data} = await local('POST', 'erase', {vendor_data: kept.user});
  const text = data.errorType || (data.sessions ? 'Forgotten: ' + data.deleted + ' of ' + data.sessions + ' sessions deleted.' : 'Nothing was known; the event is published anyway.');
  $('workflow-answer').textContent = text;
  say(text);
  problem = null;
  await refresh(false);
});
function drawApp() {
  const screen = screenOf(), [face, title, text, label] = screens[screen.name];
  $('who').textContent = kept.user;
  put('face', face, () => icon(face));
  $('screen').className = 'screen ' + (problem ? {already_verified: 'good', in_review: 'wait'}[problem.code] || 'bad' : tones[screen.name] || '');
  $('screen-title').textContent = title;
  $('screen-text').textContent = problem ? troubles[problem.code] || 'Something went wrong. Try again.' : text;
  $('act').textContent = label;
  $('screen-note').textContent = problem ? (problem.status || '') + ' ' + (problem.code || problem.message || '') : screen.document ? 'status ' + screen.document.status + ', next ' + screen.document.next : '';
  $('code-box').hidden = !(screen.link && screen.link.qr);
  if (screen.link?.qr && $('code-image').src !== screen.link.qr) $('code-image').src = screen.link.qr;
  drawRequest(screen.request);
}

// The request behind the button, in four languages.
const quoted = text => JSON.stringify(text);
const shell = text => "'" + text.replaceAll("'", "'\\''") + "'";
const languages = {
  curl: (r, url, auth) => ['curl -s ' + shell(url), '-H ' + shell('Authorization: ' + auth), ...(r.body ? ["-H 'Content-Type: application/json'", '-d ' + shell(r.body)] : [])].join(' \\\n  '),
  Swift: (r, url, auth) => ['var request = URLRequest(url: URL(string: ' + quoted(url) + ')!)',
    ...(r.body ? ['request.httpMethod = "POST"'] : []), 'request.setValue(' + quoted(auth) + ', forHTTPHeaderField: "Authorization")',
    ...(r.body ? ['request.setValue("application/json", forHTTPHeaderField: "Content-Type")', 'request.httpBody = Data(' + quoted(r.body) + '.utf8)'] : []),
    'let (data, _) = try await URLSession.shared.data(for: request)', 'let session = try JSONSerialization.jsonObject(with: data)'].join('\n'),
  Kotlin: (r, url, auth) => ['val connection = URL(' + quoted(url) + ').openConnection() as HttpURLConnection',
    'connection.setRequestProperty("Authorization", ' + quoted(auth) + ')',
    ...(r.body ? ['connection.requestMethod = "POST"', 'connection.doOutput = true', 'connection.setRequestProperty("Content-Type", "application/json")',
      'connection.outputStream.use { it.write(' + quoted(r.body) + '.toByteArray()) }'] : []),
    'val session = JSONObject(connection.inputStream.reader().readText())'].map(line => line.replaceAll('$', '\\$')).join('\n'),
  TypeScript: (r, url, auth) => ['const response = await fetch(' + quoted(url) + ', {', ...(r.body ? ['  method: "POST",'] : []),
    '  headers: {Authorization: ' + quoted(auth) + (r.body ? ', "Content-Type": "application/json"' : '') + '},',
    ...(r.body ? ['  body: ' + quoted(r.body) + ','] : []), '});', 'const session = await response.json();'].join('\n'),
};
for (const name of Object.keys(languages)) {
  const tab = element('button', {type: 'button', id: 'tab-' + name}, name);
  tab.setAttribute('role', 'tab');
  tab.setAttribute('aria-controls', 'snippet');
  tab.addEventListener('click', () => { keep({tab: name}); draw(); });
  $('tabs').append(tab);
}
$('tabs').addEventListener('keydown', e => {
  const step = {ArrowRight: 1, ArrowLeft: -1}[e.key], names = Object.keys(languages);
  if (!step) return;
  keep({tab: names[(names.indexOf(kept.tab) + step + names.length) % names.length]});
  draw();
  $('tab-' + kept.tab).focus();
});
function drawRequest(request) {
  for (const tab of $('tabs').children) {
    tab.setAttribute('aria-selected', tab.id === 'tab-' + kept.tab);
    tab.tabIndex = tab.id === 'tab-' + kept.tab ? 0 : -1;
  }
  $('snippet').setAttribute('aria-labelledby', 'tab-' + kept.tab);
  const text = languages[kept.tab](request, location.origin + request.path, authorization(kept.user));
  if ($('snippet').textContent !== text) $('snippet').textContent = text;
}
$('copy').addEventListener('click', () => copy($('snippet').textContent));
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page over HTTP from another machine has no clipboard
    const area = element('textarea', {value: text, className: 'unseen'}), focus = document.activeElement;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    focus.focus();
  }
  say('Copied.');
}


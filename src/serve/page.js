'use strict';
const byId = id => document.getElementById(id);

function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function show(state, text, lines, answer) {
  const card = element('div', 'card', element('p', '', text));
  card.dataset.state = state;
  if (lines.length > 0) card.append(element('ul', '', ...lines.map(line => element('li', '', line))));
  if (answer) {
    const json = element('pre', '', JSON.stringify(answer, null, 2));
    card.append(element('details', '', element('summary', '', 'Response'), json));
  }
  byId('result').replaceChildren(card);
}

function words({ decision, format, width, height, bytes }) {
  const facts = [format?.toUpperCase(), width && `${width} by ${height} pixels`, bytes !== null && `${bytes} bytes`];
  const known = facts.filter(Boolean).join(', ');
  const text = { accept: 'Accepted', reject: 'Rejected', inconclusive: 'Undecided' }[decision];
  return known ? `${text}: ${known}` : text;
}

byId('try').onsubmit = async event => {
  event.preventDefault();
  const [file] = byId('file').files;
  if (!file) {
    show('error', 'Choose an image first.', []);
    return;
  }
  const scan = byId('for').value;
  const token = byId('token').value;
  show('waiting', 'Checking', []);
  try {
    const response = await fetch(`v1/check${scan && `?for=${scan}`}`, {
      method: 'POST',
      body: file,
      headers: { 'Content-Type': file.type || 'application/octet-stream', ...(token && { Authorization: `Bearer ${token}` }) },
    });
    const answer = await response.json();
    if (response.ok) {
      const lines = answer.violations.map(({ code, severity, message }) => `${code} (${severity}): ${message}`);
      show(answer.decision, words(answer), lines, answer);
    } else show('error', answer.detail, [`status ${response.status}, code ${answer.code}`], answer);
  } catch (error) {
    show('error', 'The server did not respond.', [String(error)]);
  }
};

fetch('openapi.json').then(response => response.json()).then(({ paths }) => {
  const cards = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, route]) => {
    const name = element('p', '', element('code', '', `${method.toUpperCase()} ${path}`), ` ${route.summary ?? ''}`);
    const card = element('div', 'card', name);
    const lines = (route.parameters ?? []).map(({ name, description }) =>
      element('li', '', element('code', '', name), ` ${description ?? ''}`));
    const parts = [];
    if (route.description) parts.push(element('p', '', route.description));
    if (lines.length > 0) parts.push(element('ul', '', ...lines));
    if (parts.length > 0) card.append(element('details', '', element('summary', '', 'Details'), ...parts));
    return card;
  }));
  byId('routes').replaceChildren(...cards);
});

/** Shows how many sessions the server lists. */
const response = await fetch('/sessions');
const { sessions = [] } = await response.json();
document.getElementById('sessions').textContent = String(sessions.length);

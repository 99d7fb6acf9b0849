import { chromium } from '@playwright/test';
import { readFileSync } from 'node:fs';
const s=JSON.parse(readFileSync('/tmp/dashdev.out','utf8').split('\n').find(l=>l.startsWith('{')));
const b=await chromium.launch({executablePath:'/usr/bin/chromium',args:['--no-sandbox','--disable-gpu','--disable-background-networking','--disable-component-update','--disable-sync']});
const which=process.argv[2]||'all';
async function ctx(opts){const c=await b.newContext({viewport:{width:1280,height:900},timezoneId:'Europe/Berlin',locale:'en-GB',...opts});const p=await c.newPage();p.on('console',m=>['error','warning'].includes(m.type())&&console.log('console:',m.text()));p.on('pageerror',e=>console.log('pageerror',e.stack));return p}
async function signin(p){await p.goto(s.base);await p.getByLabel('API key').fill(s.key);await p.getByRole('button',{name:'Sign in'}).click();await p.waitForSelector('h1:has-text("Overview")')}
async function settle(p){await p.waitForFunction(()=>!document.querySelector('[aria-busy="true"]'),null,{timeout:8000}).catch(e=>console.log('busy'));await p.waitForTimeout(200)}
const p=await ctx({colorScheme:'light'});
await p.goto(s.base);await p.waitForSelector('form');await p.screenshot({path:'/tmp/s-signin.png'});
await signin(p);await settle(p);await p.screenshot({path:'/tmp/s-overview.png',fullPage:true});
await p.goto(s.base+'campaigns?from=90d');await settle(p);await p.screenshot({path:'/tmp/s-campaigns.png',fullPage:true});
await p.goto(s.base+'links');await p.getByLabel('The whole link').fill(s.url);await p.keyboard.press('Enter');await p.waitForSelector('img[alt^="QR"]');await p.waitForTimeout(300);await p.screenshot({path:'/tmp/s-links.png',fullPage:true});
await p.goto(s.base+'health');await settle(p);await p.screenshot({path:'/tmp/s-health.png',fullPage:true});
const d=await ctx({colorScheme:'dark'});await signin(d);await settle(d);await d.screenshot({path:'/tmp/s-dark.png',fullPage:true});
const m=await ctx({colorScheme:'light',viewport:{width:390,height:844},deviceScaleFactor:2});await signin(m);await settle(m);await m.screenshot({path:'/tmp/s-phone.png',fullPage:true});
console.log('phone overflow',await m.evaluate(()=>document.documentElement.scrollWidth-innerWidth));
await m.goto(s.base+'campaigns');await settle(m);await m.screenshot({path:'/tmp/s-phone-c.png',fullPage:true});
await b.close();

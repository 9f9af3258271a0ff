package verification

import (
	"slices"
	"strings"
)

// registeredSchemes are the URI schemes that IANA has registered, permanently, provisionally or
// historically, without https and those that begin with ms- (IANA: Uniform Resource Identifier
// (URI) Schemes; compiled on 24 November 2026). None of them is the scheme of an operator's own
// app.
const registeredSchemes = `
	aaa aaas about acap acct acd ace acr adiumxtra adt aet afp afs agtp aim amss android appdata apt
	ar ari ark ars at attachment aw barion bb beshare bitcoin bitcoincash bl blob bluetooth bolo
	brid browserext cabal caip calculator callto cap cast casts chrome chrome-extension cid cm coap
	coap+tcp coap+ws coaps coaps+tcp coaps+ws com-eventbrite-attendee content content-type crid cstr
	cttps cvs dab dat data dav dhttp diaspora dict did dilithium3 dis dlna-playcontainer
	dlna-playsingle dnp dns dntp doi donau dpp drm drop dtmi dtn dvb dvx dweb ed2k eid elsi embedded
	ens esim ethereum example ez facetime fax feed feedready fido file filesystem finger
	first-run-pen-experience fish fm ftp fuchsia-pkg gcx gdsi geo gg git gitoid gizmoproject go
	gopher graph grd gtalk h323 ham hcap hcp hs20 http hxxp hxxps hydrazone hyper i0 iax ibi ibi-
	icap icon ilstring im imap info interaction iotdisco ipfs ipn ipns ipp ipps irc irc6 ircs iris
	iris.beep iris.lwz iris.xpc iris.xpcs isostore itms jabber jar jms keyparc lastfm lbry ldap
	ldaps leaptofrogans lid linkid lorawan lpa lvlt machineprovisioningprogressreporter magnet
	mailserver mailto maps market matrix mdoc-openid4vp message microsoft.windows.camera
	microsoft.windows.camera.multipicker microsoft.windows.camera.picker mid mms modem mongodb moz
	mqtt mqtts msnim msrp msrps mss mt mtqp mtrust mumble mupdate musik mvn mvrp mvrps news nfs ni
	nih nntp nostr notes npamp num ocf oid onenote onenote-cmd opaquelocktoken openid openpgp4fpr
	otpauth p1 pack palm paparazzi payment payto pkcs11 pkg platform pop pres prospero proxy psyc
	pttp pwid qb query quic-transport redis rediss reload res resource rmi rsync rtmfp rtmp rtsp
	rtsps rtspu sarif secondlife secret-token seki service session sftp sgn shc shelter shttp sieve
	simpleledger simplex sip sips skype smb smp sms smtp snews snmp soap.beep soap.beeps soldat
	spacify spiffe spotify ssb ssh sss starknet steam stun stuns submit svn swh swid swidpath tag
	taler teamspeak teapot teapots tel teliaeid telnet tftp things thismessage thzp tii tip tn3270
	tool tttps turn turns tv udp unreal upn upt urn ust ut2004 uuaid uuid-in-package v-event vemmi
	ventrilo ves videotex view-source vnc vscode vscode-insiders vsls w3 wais wasm wasm-js wcr
	web+ap web+interaction web3 webcal wifi wpid ws wss wtai wyciwyg xcompute xcon xcon-userid xfire
	xftp xmlrpc.beep xmlrpc.beeps xmpp xrcp xri ymsgr z39.50 z39.50r z39.50s ztdnaid
`

// systemSchemes are not registered. Browsers and operating systems run code, open files or start
// programs of their own for them.
const systemSchemes = `
	android-app app-prefs app-settings applescript chrome-devtools chrome-error chrome-native
	chrome-search chrome-untrusted cifs cmd davs devtools facetime-audio firefox ftps git+ssh
	googlechrome googlechromes help http+unix intent itms-apps itms-appss itms-beta itms-services
	itpc its javascript jscript livescript macappstore mhtml microsoft-edge mk mmsto mocha
	moz-extension moz-icon netdoc pcast prefs rdp rlogin safari-extension safari-web-extension scp
	search search-ms shell shortcuts smsto svn+ssh telprompt vbs vbscript webdav webdavs workflow
	x-apple.systempreferences x-help-action x-man-page
`

// takenSchemes are those of both lists, in lower case.
var takenSchemes = strings.Fields(registeredSchemes + systemSchemes)

// IsAppScheme reports whether a URI scheme, in lower case, may be that of an operator's own app: it
// has another meaning neither in IANA's registry nor to browsers and operating systems. Windows
// owns ms-, and takes a single letter for a drive.
func IsAppScheme(scheme string) bool {
	return len(scheme) > 1 && scheme != "https" && !strings.HasPrefix(scheme, "ms-") &&
		!slices.Contains(takenSchemes, scheme)
}

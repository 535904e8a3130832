package fold

// stopWords lists the words of a language that say nothing of what a text is
// about. Of a language that is not known none is dropped: "die" is an article
// and a verb.
func stopWords(lang string) string {
	switch lang {
	case "en":
		return `a about above after again against all also am an and any are aren as at be because been before being below
between both but by can cannot could couldn did didn do does doesn doing don down during each either else etc ever every few for
from further had hadn has hasn have haven having he her here hers herself him himself his how however i if in into is isn it its
itself just let ll may me might more most much must my myself neither no nor not now of off on once one only onto or other
ought our ours ourselves out over own per quite rather re same shall she should shouldn since so some such than that the their
theirs them themselves then there therefore these they this those though through thus to too under until up upon us ve very via was wasn we
were weren what when where whether which while who whom whose why will with within without won would wouldn yet you your yours
yourself yourselves`
	case "de":
		return `aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes auch auf aus bei beim bin bis
bist da dabei dadurch daher damit dann das dass dazu dein deine dem den denn der des dessen dich die dies diese diesem diesen dieser
dieses dir doch dort du durch ein eine einem einen einer eines er es etwas euch euer eure für gegen gewesen hab habe haben hat hatte
hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins ist ja jede jedem jeden jeder jedes jene jetzt
kann kein keine keinem keinen keiner können könnte mich mir mit muss musste nach nicht nichts noch nun nur ob oder ohne
sehr sein seine seinem seinen seiner selbst sich sie sind so solche soll sollen sollte sondern sonst um und uns unser unter viel
vom von vor während wann war waren warum was wegen weil welche welchem welchen welcher welches wem wen wenn wer werde werden wessen wie wieder wieso wieviel wieviele will wir
wird wirst wo wobei wodurch wofür woher wohin womit woran worauf woraus worin worüber wovon wozu darf darfst dürfen dürfte möchte möchten mag lange wollen wurde wurden zu zum zur zwar zwischen über`
	case "fr":
		return `a ai ainsi alors au aucun aussi autre autres aux avait avant avec avoir c ce ceci cela celle celles celui ces cet cette ceux
chaque ci comme comment d dans de des deux doit donc dont du elle elles en encore entre est et étaient était été être eu eux fait
faire faut il ils j je l la laquelle le lequel les leur leurs lors lorsque lui m ma mais me même mes moi mon n ne ni nos notre nous on
ont ou où par parce pas pendant peu peut plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si
son sont sous sur t ta te tes toi ton tous tout toute toutes très tu un une vos votre vous y peuvent puis dois doivent`
	case "es":
		return `a al algo algún alguna algunas algunos ante antes aquel aquella así aun aunque cada como cómo con contra cual cuál cuales cuando
cuándo cuánto de del desde donde dónde dos durante e el él ella ellas ellos en entre era eran es esa esas ese eso esos esta está están
estas este esto estos fue fueron ha había han hasta hay la las le les lo los más me mi mientras mis mucho muy nada ni no nos nosotros o
os otra otras otro otros para pero poco por porque qué que quien quién quienes se sea según ser si sí sido sin sobre son su sus también
tan tanto te tiene tienen toda todas todo todos tu tus un una unas uno unos usted y ya yo puede pueden puedo poder debe deben`
	case "it":
		return `a ad agli ai al alla alle allo anche ancora avere aveva c che chi ci ciò come con contro così cosa cui da dagli dai dal dalla
dalle dallo de degli dei del della delle dello dentro di dopo dove due e è ed era erano essere fa fino fra fu gli ha hanno ho i il in io
l la le lei li lo loro lui ma mentre mi mia mio molto ne negli nei nel nella nelle nello no noi non nostro o ogni per perché però più
poi prima può qual quale quali quando quanto quella quelle quelli quello questa queste questi questo qui se sei senza si sia sono sopra
sotto sta su sua sue sugli sui sul sulla suo suoi tra tu tutti tutto un una uno vi voi`
	case "pt":
		return `a ao aos aquela aquele aqueles aquilo as até com como contra da das de dela dele deles depois desde do dos e é ela elas ele eles
em entre era eram essa essas esse esses esta está estão este estes eu foi foram há isso isto já lhe lhes mais mas me mesmo meu
minha muito na não nas nem no nos nós num numa o onde os ou para pela pelas pelo pelos por porque qual quais quando quanto que quem são
se seja sem ser seu seus si sido sob sobre sua suas também te tem têm tinha todo todos tu um uma umas uns você vocês`
	case "nl":
		return `aan af al alle als altijd andere ben bij daar dan dat de deze die dit doch doen door dus een er ge geen had heb hebben heeft hem
het hier hij hoe hun iets ik in is ja je kan kon kunnen maar me meer men met mij mijn moet na naar niet niets nog nu of om omdat ons ook
op over reeds te tegen toch toen tot u uit uw van veel voor waar wanneer want waren waarom was wat welke werd wie wij wordt worden zal ze
zelf zich zij zijn zo zonder zou`
	case "sv", "da", "no", "nb", "nn":
		return `af alle alt and andra andre at att av bara be blev bli blir både da de dem den denna denne deras dere deres dess det detta dette
dig din disse ditt du där då efter eit eller en ene enn er ere et ett etter for fra från få för han hans har hade hadde hen hende her hon
hos hun hur hvad hva hvem hver hvis hvor hvordan i icke ikke ikkje in ind ingen inn inte ja jag jeg kan kom kunna kunne man mange med meg
mellan men mer mig min mot my ned nei no noe noen nogle nu när nå når och og også om opp oss over på så sådan seg selv sig sin sine
sitt skal skall ska skulle som under upp ut uten utan vad vara var varför ved vem vi via vid vil vilken ville vore være vår vært å är över`
	case "ru":
		return `а без более бы был была были было быть в вам вас весь во вот все всего всех вы где да даже для до его ее если есть еще же за
здесь и из или им их к как какая какой кем ко когда кого кто ли либо мне может можно мы на над надо наш не него нее нет ни них но ну о об
однако он она они оно от очень по под при с со так также такой там те тем то того тоже той только том ты у уже хотя чего чей чем что чтобы
чье эта эти это этого этой этот я`
	}
	return ""
}
